#!/usr/bin/env bash
# Where no image registry is reached: local images of the two base images of infra/Dockerfile and of the proxy, from Debian's and
# npm's packages, on top of what ../shared/workshop/images.sh has built. Prints the variables that name them all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DOCKER_BUILDKIT=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

built() { docker image inspect "playhead-local/$1" >/dev/null 2>&1; }

# node:24-bookworm-slim: Node, npm, and how npm is set up here.
if ! built node; then
  mkdir -p "$folder/lib/node_modules" "$folder/etc" "$folder/certs"
  cp -r "$(npm root -g)/npm" "$folder/lib/node_modules/"
  npm install --silent --no-save --prefix "$folder/node" "node@$(node -p "require('./package.json').dependencies.node")" >&2
  cp -L "$folder/node/node_modules/node/bin/node" "$folder/node-bin"
  for file in "$(npm config get globalconfig)" "$(npm config get userconfig)"; do if [ -f "$file" ]; then cat "$file" >>"$folder/etc/npmrc"; fi; done
  touch "$folder/etc/npmrc"
  cp /etc/ssl/certs/ca-certificates.crt "$folder/certs/"
  cat >"$folder/Dockerfile" <<'D'
FROM playhead-local/base
COPY lib /usr/local/lib
COPY node-bin /usr/local/bin/node
COPY etc/npmrc /usr/local/etc/npmrc
COPY certs /etc/ssl/certs
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
D
  docker build --quiet --tag playhead-local/node "$folder" >/dev/null
fi

# haproxy: Debian's package.
if ! built haproxy; then
  mmdebstrap --quiet --variant=minbase --include=haproxy bookworm "$folder/haproxy.tar" >&2
  docker import --change 'CMD ["haproxy", "-f", "/usr/local/etc/haproxy"]' "$folder/haproxy.tar" playhead-local/haproxy >/dev/null
fi

for image in kafka schema-registry s3 clickhouse node haproxy; do
  name=${image//-/_}
  echo "export PLAYHEAD_IMAGE_${name^^}=playhead-local/$image"
done
echo "export PLAYHEAD_IMAGE_DEBIAN=playhead-local/base"
