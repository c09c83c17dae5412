import { kinds, picture, products } from './products.js';
import { $, card } from './shop.js';

const NOTES = [
  'Kiln three is back',
  'A glaze that failed well',
  'Linen arrived from Guimarães',
  'How we pack a vase',
  'Seconds sale on Sunday',
  'Why the rim is left bare',
  'New shades for the lamps',
  'What the wheel remembers',
  'A visit to the clay pit',
  'Firing at night',
  'The apprentice’s first fifty mugs',
  'Measuring a pour',
];
const TEXTS = [
  'Thirteen hours at 1,240 °C, and every shelf survived.',
  'It was meant to be white. We kept it.',
  'Four colours, washed twice, softer than last year.',
  'Paper, straw, and a box that has been used before.',
  'Small faults, half the price, from ten o’clock.',
];

let kind = 'All';
const search = $('#search');
const sort = $('#sort');
const ORDERS = {
  featured: () => 0,
  low: (a, b) => a.cents - b.cents,
  high: (a, b) => b.cents - a.cents,
  name: (a, b) => a.name.localeCompare(b.name),
};

function draw() {
  const wanted = search.value.trim().toLowerCase();
  const found = products
    .filter(
      (product) =>
        (kind === 'All' || product.kind === kind) && `${product.name} ${product.kind} ${product.text}`.toLowerCase().includes(wanted),
    )
    .toSorted(ORDERS[sort.value]);
  $('.grid').replaceChildren(...found.map(card));
  $('.none').hidden = found.length > 0;
  $('.none q').textContent = search.value;
}

$('.chips').append(
  ...['All', ...kinds].map((name) => {
    const chip = document.createElement('button');
    chip.type = 'button';
    chip.className = 'chip';
    chip.textContent = name;
    chip.setAttribute('aria-pressed', String(name === kind));
    chip.addEventListener('click', () => {
      kind = name;
      for (const other of document.querySelectorAll('.chip')) other.setAttribute('aria-pressed', String(other === chip));
      draw();
    });
    return chip;
  }),
);
search.addEventListener('input', draw);
sort.addEventListener('change', draw);
$('.hero-art').innerHTML = [5, 0, 6].map((index) => picture(products[index])).join('');
$('.notes').append(
  ...Array.from({ length: 36 }, (_, index) => {
    const item = document.createElement('li');
    item.innerHTML = `<strong>${NOTES[index % NOTES.length]}</strong><span>${TEXTS[index % TEXTS.length]}</span>`;
    return item;
  }),
);
draw();
