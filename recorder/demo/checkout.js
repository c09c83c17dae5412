import { money } from './products.js';
import { $, readCart, tell, totals, writeCart } from './shop.js';

const form = $('.checkout');
const { total } = totals(readCart());
$('[data-total]').textContent = money(total);

form.elements.card.addEventListener('input', () => {
  form.elements.card.value = form.elements.card.value
    .replace(/\D/g, '')
    .slice(0, 16)
    .replace(/(.{4})(?=.)/g, '$1 ');
});
form.elements.gift.addEventListener('change', () => {
  $('.gift').hidden = !form.elements.gift.checked;
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const missing = [...form.elements].filter((field) => field.willValidate && !field.checkValidity());
  for (const field of form.elements) field.toggleAttribute('aria-invalid', missing.includes(field));
  const error = $('.form-error');
  error.hidden = missing.length === 0;
  if (missing.length > 0) {
    error.textContent = missing.length === 1 ? 'One field still needs something.' : `${missing.length} fields still need something.`;
    missing[0].focus();
    return;
  }
  const order = `H-${String(Math.floor(Math.random() * 9e5) + 1e5)}`;
  tell('order_placed', { order, cents: total });
  writeCart([]);
  form.hidden = true;
  $('h1').hidden = true;
  $('.thanks').hidden = false;
  $('[data-order]').textContent = order;
});
