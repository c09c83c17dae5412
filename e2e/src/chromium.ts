import { existsSync } from 'node:fs';
import process from 'node:process';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

const PLACES = [process.env['CHROMIUM_PATH'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The Chromium of this machine, if it has one: tests never download a browser. */
export const chromiumPath = PLACES.find((place): place is string => place !== undefined && existsSync(place));

/** Why a browser test did not run. */
export const NO_CHROMIUM = 'no Chromium on this machine: install it or set CHROMIUM_PATH';

export async function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(NO_CHROMIUM);
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  });
}
