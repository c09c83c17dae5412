import { money, picture, productOf } from './products.js';

export const $ = (selector, root = document) => root.querySelector(selector);

/** Tells the recorder, where there is one. */
export function tell(name, value) {
  window.playhead?.event(name, value);
}

export function readCart() {
  try {
    return JSON.parse(localStorage.getItem('cart') ?? '[]').filter((line) => productOf(line.id));
  } catch {
    return [];
  }
}

export function writeCart(lines) {
  localStorage.setItem('cart', JSON.stringify(lines.filter((line) => line.quantity > 0)));
  showCount();
}

export function addToCart(id, quantity = 1, glaze = 0) {
  const lines = readCart();
  const line = lines.find((other) => other.id === id && other.glaze === glaze);
  if (line) line.quantity += quantity;
  else lines.push({ id, quantity, glaze });
  writeCart(lines);
  toast(`${productOf(id).name} is in your cart`);
  tell('add_to_cart', { id, quantity });
}

export function totals(lines) {
  const subtotal = lines.reduce((sum, line) => sum + productOf(line.id).cents * line.quantity, 0);
  const delivery = subtotal === 0 || subtotal >= 8000 ? 0 : 590;
  return { subtotal, delivery, total: subtotal + delivery };
}

export function toast(text) {
  const element = document.createElement('p');
  element.className = 'toast';
  element.textContent = text;
  $('.toasts').append(element);
  setTimeout(() => element.classList.add('gone'), 2600);
  setTimeout(() => element.remove(), 3000);
}

export function card(product) {
  const item = document.createElement('li');
  item.className = 'card';
  item.innerHTML = `<a href="/product.html?id=${product.id}"><span class="frame">${picture(product)}</span><span class="name">${product.name}</span></a>
    <div class="row"><span class="price">${money(product.cents)}</span><button class="button add-to-cart" type="button" aria-label="Add ${product.name} to cart">Add</button></div>`;
  $('.add-to-cart', item).addEventListener('click', () => addToCart(product.id));
  return item;
}

function showCount() {
  const count = readCart().reduce((sum, line) => sum + line.quantity, 0);
  const badge = $('[data-cart-count]');
  badge.textContent = String(count);
  badge.hidden = count === 0;
}

$('.theme-toggle').addEventListener('click', () => {
  const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  localStorage.setItem('theme', theme);
});
$('[data-break]').addEventListener('click', () => {
  toast('An error was thrown, as asked.');
  throw new Error('The demo shop broke on purpose');
});
addEventListener('storage', showCount);
showCount();
