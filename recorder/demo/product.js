import { money, picture, productOf, products } from './products.js';
import { $, addToCart, card } from './shop.js';

const product = productOf(new URLSearchParams(location.search).get('id')) ?? products[0];
let glaze = 0;
let quantity = 1;

document.title = `Hearthware: ${product.name}`;
for (const name of document.querySelectorAll('[data-name]')) name.textContent = product.name;
$('[data-kind]').textContent = product.kind;
$('[data-price]').textContent = money(product.cents);
$('[data-text]').textContent = product.text;
$('[data-stars]').textContent = `${'★'.repeat(Math.round(product.rating))} ${product.rating} of 5`;
$('.picture').innerHTML = picture(product);

product.glazes.forEach(([name, light], index) => {
  const label = document.createElement('label');
  label.innerHTML = `<input type="radio" name="glaze" value="${index}" ${index === 0 ? 'checked' : ''}><span style="background:${light}"></span>${name}`;
  label.addEventListener('change', () => {
    glaze = index;
    $('.picture').innerHTML = picture(product, glaze);
  });
  $('.colours').append(label);
});
for (const button of document.querySelectorAll('[data-step]')) {
  button.addEventListener('click', () => {
    quantity = Math.min(9, Math.max(1, quantity + Number(button.dataset.step)));
    $('#quantity').textContent = String(quantity);
  });
}
$('.details .add-to-cart').addEventListener('click', () => addToCart(product.id, quantity, glaze));
const at = products.indexOf(product);
$('.grid').append(...[3, 5, 7, 10].map((step) => card(products[(at + step) % products.length])));
