import { money, picture, productOf } from './products.js';
import { $, readCart, toast, totals, writeCart } from './shop.js';

const FREE_FROM = 8000;

function change(line, quantity) {
  const lines = readCart();
  const changed = lines.find((other) => other.id === line.id && other.glaze === line.glaze);
  if (changed) changed.quantity = quantity;
  writeCart(lines);
  if (quantity === 0) toast(`${productOf(line.id).name} was taken out`);
  draw();
}

function lineOf(line) {
  const product = productOf(line.id);
  const item = document.createElement('li');
  item.innerHTML = `<span class="frame">${picture(product, line.glaze)}</span>
    <div><a href="/product.html?id=${product.id}">${product.name}</a><p>${product.glazes[line.glaze][0]}</p></div>
    <div class="stepper"><button type="button" aria-label="One less">−</button><output>${line.quantity}</output><button type="button" aria-label="One more">+</button></div>
    <span class="price">${money(product.cents * line.quantity)}</span>
    <button class="link remove" type="button">Remove</button>`;
  const [less, more] = item.querySelectorAll('.stepper button');
  less.addEventListener('click', () => change(line, line.quantity - 1));
  more.addEventListener('click', () => change(line, Math.min(9, line.quantity + 1)));
  $('.remove', item).addEventListener('click', () => change(line, 0));
  return item;
}

function draw() {
  const lines = readCart();
  const { subtotal, delivery, total } = totals(lines);
  $('.lines').replaceChildren(...lines.map(lineOf));
  $('.empty').hidden = lines.length > 0;
  $('.filled').hidden = lines.length === 0;
  $('[data-subtotal]').textContent = money(subtotal);
  $('[data-delivery]').textContent = delivery === 0 ? 'Free' : money(delivery);
  $('[data-total]').textContent = money(total);
  $('.progress span').style.width = `${Math.min(100, (subtotal / FREE_FROM) * 100)}%`;
  $('.progress-text').textContent =
    subtotal >= FREE_FROM ? 'Delivery is free.' : `${money(FREE_FROM - subtotal)} more and delivery is free.`;
}

draw();
