/** The collection. `shape` and `glazes` draw the picture; prices are in cents. */
const LIST = [
  [
    'ember-mug',
    'Ember mug',
    'Mugs',
    'mug',
    2400,
    4.8,
    'A straight mug with a warm, open glaze. Holds 320 ml and heat for longer than you would think.',
  ],
  ['dune-mug', 'Dune mug', 'Mugs', 'mug', 2200, 4.6, 'Sand-coloured stoneware, unglazed below the rim, so it never slips.'],
  [
    'tide-bowl',
    'Tide bowl',
    'Bowls',
    'bowl',
    2900,
    4.9,
    'Deep enough for soup, wide enough for salad. The glaze breaks where the wheel turned.',
  ],
  ['moss-bowl', 'Moss bowl', 'Bowls', 'bowl', 2700, 4.5, 'A small bowl for olives, keys, or the end of the pasta.'],
  ['reed-vase', 'Reed vase', 'Vases', 'vase', 5400, 4.7, 'A narrow neck that makes three stems look like a bouquet.'],
  ['moon-vase', 'Moon vase', 'Vases', 'jar', 6900, 4.9, 'Two bowls joined at the rim, the old way. No two are alike.'],
  ['dusk-lamp', 'Dusk lamp', 'Lamps', 'lamp', 12900, 4.8, 'Stoneware foot, linen shade, and a dimmer you can find in the dark.'],
  ['dawn-lamp', 'Dawn lamp', 'Lamps', 'lamp', 11900, 4.4, 'A small lamp for a shelf or a bedside, light from below and above.'],
  ['field-plate', 'Field plate', 'Plates', 'plate', 3100, 4.6, 'A dinner plate with a low rim. Stacks like a book.'],
  ['slate-plate', 'Slate plate', 'Plates', 'plate', 2600, 4.3, 'For bread, cheese, and cake that did not last until dinner.'],
  ['brook-pot', 'Brook teapot', 'Pots', 'pot', 7900, 4.9, 'Pours without a drop. The strainer is part of the pot.'],
  ['hearth-pot', 'Hearth pot', 'Pots', 'jar', 8600, 4.7, 'From the oven to the table, with a lid that sits by itself.'],
  ['cloud-mug', 'Cloud mug', 'Mugs', 'mug', 2600, 4.7, 'Wide and low, for the second cup.'],
  ['flint-bowl', 'Flint bowl', 'Bowls', 'bowl', 3400, 4.6, 'The one for bread dough, popcorn and apples.'],
  ['willow-vase', 'Willow vase', 'Vases', 'vase', 4800, 4.5, 'Tall and calm. Heavy enough for branches.'],
  ['harbour-lamp', 'Harbour lamp', 'Lamps', 'lamp', 14900, 4.9, 'A reading lamp with a wide shade and a long cord.'],
];
const GLAZES = [
  ['Ember', '#c8643a', '#8f3f20'],
  ['Tide', '#4f7f8f', '#2f5866'],
  ['Moss', '#7d8c5a', '#566339'],
  ['Dune', '#d8b98c', '#a98557'],
  ['Plum', '#8a5a78', '#5e3a52'],
];

export const products = LIST.map(([id, name, kind, shape, cents, rating, text], index) => ({
  id,
  name,
  kind,
  shape,
  cents,
  rating,
  text,
  glazes: [0, 1, 2].map((step) => GLAZES[(index + step) % GLAZES.length]),
}));

export const kinds = [...new Set(products.map((product) => product.kind))];

export function productOf(id) {
  return products.find((product) => product.id === id);
}

export function money(cents) {
  return new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' }).format(cents / 100);
}

const SHAPES = {
  mug: (a, b) =>
    `<path d="M128 84c34-4 40 52 2 56" fill="none" stroke="${b}" stroke-width="13"/><path d="M52 62h80l-5 88q-2 14-16 14H73q-14 0-16-14Z" fill="${a}"/><path d="M54.5 106h75l-2.5 44q-2 14-16 14H73q-14 0-16-14Z" fill="${b}"/><ellipse cx="92" cy="62" rx="40" ry="9" fill="${b}"/>`,
  bowl: (a, b) =>
    `<path d="M30 84h140c0 46-30 78-70 78s-70-32-70-78Z" fill="${a}"/><path d="M43 122c12 26 32 40 57 40s45-14 57-40Z" fill="${b}"/><ellipse cx="100" cy="84" rx="70" ry="14" fill="${b}"/><rect x="76" y="158" width="48" height="10" rx="4" fill="${b}"/>`,
  vase: (a, b) =>
    `<path d="M100 62c-8-26-22-30-26-46M100 62c2-26 14-34 22-50M100 60V12" fill="none" stroke="#7d8c5a" stroke-width="4" stroke-linecap="round"/><circle cx="74" cy="16" r="7" fill="#e7c77f"/><circle cx="122" cy="12" r="6" fill="#e7c77f"/><circle cx="100" cy="10" r="6" fill="#e0a96d"/><path d="M84 60h32c-4 22 30 34 30 66 0 26-18 42-46 42s-46-16-46-42c0-32 34-44 30-66Z" fill="${a}"/><path d="M55 118c-4 32 16 50 45 50s49-18 45-50c-30 14-60 14-90 0Z" fill="${b}"/>`,
  jar: (a, b) =>
    `<circle cx="100" cy="110" r="58" fill="${a}"/><path d="M43 118a58 58 0 0 0 114 0c-38 16-76 16-114 0Z" fill="${b}"/><rect x="74" y="46" width="52" height="14" rx="7" fill="${b}"/><circle cx="100" cy="40" r="8" fill="${a}"/>`,
  lamp: (a, b) =>
    `<path d="M66 34h68l22 66H44Z" fill="#f3dfbd"/><path d="M44 100h112l-4-12H48Z" fill="#e2c48f"/><path d="M92 100h16v20c22 6 34 20 34 34 0 8-6 12-16 12H74c-10 0-16-4-16-12 0-14 12-28 34-34Z" fill="${a}"/><path d="M58 152c2 10 8 14 16 14h52c8 0 14-4 16-14Z" fill="${b}"/>`,
  plate: (a, b) =>
    `<circle cx="100" cy="104" r="66" fill="${a}"/><circle cx="100" cy="104" r="46" fill="${b}"/><circle cx="100" cy="104" r="40" fill="${a}"/><path d="M78 84q20-18 44 2" fill="none" stroke="#fff" stroke-opacity=".35" stroke-width="5" stroke-linecap="round"/>`,
  pot: (a, b) =>
    `<path d="M142 92c30-14 34 8 18 34" fill="none" stroke="${b}" stroke-width="11"/><path d="M52 104c-18-2-24-14-28-30" fill="none" stroke="${a}" stroke-width="15" stroke-linecap="round"/><path d="M48 96c0-20 22-34 50-34s50 14 50 34c0 44-16 68-50 68S48 140 48 96Z" fill="${a}"/><path d="M50 116c6 32 20 48 48 48s42-16 48-48c-32 12-64 12-96 0Z" fill="${b}"/><path d="M72 62q26-18 52 0Z" fill="${b}"/><circle cx="98" cy="48" r="8" fill="${a}"/>`,
};

/** A picture of the product as inline SVG. */
export function picture(product, glaze = 0) {
  const [, light, dark] = product.glazes[glaze];
  return `<svg class="art" viewBox="0 0 200 200" role="img" aria-label="${product.name}"><ellipse cx="100" cy="170" rx="72" ry="8" fill="#000" opacity=".12"/>${SHAPES[product.shape](light, dark)}</svg>`;
}
