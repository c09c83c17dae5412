import { createRequire } from 'node:module';
import type { SKRSContext2D } from '@napi-rs/canvas';
import { createCanvas, GlobalFonts } from '@napi-rs/canvas';

/** Pixels of a simulated phone: a common small one at half its density. */
const WIDTH = 390;
const HEIGHT = 844;
const JPEG_QUALITY = 70;
const SCREEN_MS = 7000;
const ROW_HEIGHT = 96;
const SCROLL_PX_PER_S = 60;

const FONT = 'DejaVu Sans';
const require = createRequire(import.meta.url);
GlobalFonts.registerFromPath(require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'), FONT);

const PLACES = ['Lisbon', 'Kyoto', 'Oslo', 'Porto', 'Quito', 'Tallinn', 'Hanoi', 'Bergen', 'Ghent', 'Split', 'Turin', 'Cusco'];
const TABS = ['Trips', 'Map', 'Saved', 'Me'];

/**
 * Draws what a phone shows: a small travel app whose list scrolls, whose screens change and which is tapped.
 *
 * @param phone number of the phone: its colour and where it starts
 * @param atMs since the session's epoch
 * @returns JPEG bytes
 */
export async function drawPhoneScreen(phone: number, atMs: number): Promise<Uint8Array> {
  const canvas = createCanvas(WIDTH, HEIGHT);
  const draw = canvas.getContext('2d');
  const hue = (phone * 67 + 205) % 360;
  const screen = Math.floor(atMs / SCREEN_MS) % 3;
  draw.fillStyle = '#f6f7f9';
  draw.fillRect(0, 0, WIDTH, HEIGHT);
  if (screen === 1) drawDetail(draw, hue, phone, atMs);
  else drawList(draw, hue, phone, atMs);
  drawBars(draw, hue, phone, atMs, screen);
  if (atMs % SCREEN_MS > SCREEN_MS - 1500) drawTap(draw, hue, 110 + ((phone * 53) % 170), 300 + ((phone * 97) % 260));
  return canvas.encode('jpeg', JPEG_QUALITY);
}

function drawBars(draw: SKRSContext2D, hue: number, phone: number, atMs: number, screen: number): void {
  draw.fillStyle = `hsl(${hue} 55% 38%)`;
  draw.fillRect(0, 0, WIDTH, 104);
  write(draw, clockText(phone, atMs), 24, 34, 15, '#ffffffcc');
  write(draw, screen === 1 ? 'Trip' : 'Where to next?', 24, 80, 26, '#fff');
  write(draw, `${(atMs / 1000).toFixed(1)} s`, WIDTH - 92, 34, 15, '#ffffffcc');
  draw.fillStyle = '#fff';
  draw.fillRect(0, HEIGHT - 76, WIDTH, 76);
  TABS.forEach((tab, index) => {
    const x = (WIDTH / TABS.length) * index + 28;
    draw.fillStyle = index === screen ? `hsl(${hue} 55% 42%)` : '#b9c0ca';
    draw.beginPath();
    draw.arc(x + 20, HEIGHT - 50, 10, 0, Math.PI * 2);
    draw.fill();
    write(draw, tab, x + 2, HEIGHT - 18, 13, index === screen ? `hsl(${hue} 55% 32%)` : '#7b8490');
  });
}

function drawList(draw: SKRSContext2D, hue: number, phone: number, atMs: number): void {
  const scrolled = ((atMs % SCREEN_MS) / 1000) * SCROLL_PX_PER_S;
  for (let row = 0; row < 14; row++) {
    const top = 120 + row * ROW_HEIGHT - scrolled;
    if (top < 20 || top > HEIGHT) continue;
    const place = PLACES[(row + phone * 3) % PLACES.length] ?? '';
    panel(draw, 16, top, WIDTH - 32, ROW_HEIGHT - 14);
    const picture = draw.createLinearGradient(28, top, 92, top + 64);
    picture.addColorStop(0, `hsl(${(hue + row * 31) % 360} 65% 70%)`);
    picture.addColorStop(1, `hsl(${(hue + row * 31 + 60) % 360} 60% 45%)`);
    draw.fillStyle = picture;
    draw.fillRect(28, top + 10, 62, 62);
    write(draw, place, 106, top + 36, 19, '#1d2530');
    write(draw, `${3 + (row % 5)} nights, from ${180 + row * 35} €`, 106, top + 62, 14, '#68717d');
  }
}

function drawDetail(draw: SKRSContext2D, hue: number, phone: number, atMs: number): void {
  const place = PLACES[(phone * 3 + Math.floor(atMs / SCREEN_MS)) % PLACES.length] ?? '';
  const sky = draw.createLinearGradient(0, 104, 0, 380);
  sky.addColorStop(0, `hsl(${hue} 70% 72%)`);
  sky.addColorStop(1, `hsl(${(hue + 40) % 360} 70% 88%)`);
  draw.fillStyle = sky;
  draw.fillRect(0, 104, WIDTH, 276);
  for (let hill = 0; hill < 3; hill++) {
    draw.fillStyle = `hsl(${(hue + 90 + hill * 14) % 360} 34% ${52 - hill * 11}%)`;
    draw.beginPath();
    draw.moveTo(0, 380);
    for (let x = 0; x <= WIDTH; x += 10) draw.lineTo(x, 300 + hill * 26 - Math.sin(x / (58 + hill * 17) + atMs / 4000 + hill) * 26);
    draw.lineTo(WIDTH, 380);
    draw.fill();
  }
  write(draw, place, 24, 428, 28, '#1d2530');
  for (let line = 0; line < 6; line++) {
    draw.fillStyle = '#dde1e7';
    draw.fillRect(24, 456 + line * 26, line === 5 ? 180 : WIDTH - 48, 11);
  }
  const share = (atMs % SCREEN_MS) / SCREEN_MS;
  draw.fillStyle = `hsl(${hue} 30% 88%)`;
  draw.fillRect(24, 640, WIDTH - 48, 52);
  draw.fillStyle = `hsl(${hue} 55% 42%)`;
  draw.fillRect(24, 640, (WIDTH - 48) * share, 52);
  write(draw, share > 0.9 ? 'Booked' : 'Booking ...', 150, 673, 17, share > 0.45 ? '#fff' : '#1d2530');
}

function drawTap(draw: SKRSContext2D, hue: number, x: number, y: number): void {
  draw.fillStyle = `hsl(${hue} 80% 45% / 0.28)`;
  draw.beginPath();
  draw.arc(x, y, 30, 0, Math.PI * 2);
  draw.fill();
}

function panel(draw: SKRSContext2D, x: number, y: number, width: number, height: number): void {
  draw.fillStyle = '#fff';
  draw.beginPath();
  draw.roundRect(x, y, width, height, 14);
  draw.fill();
}

function write(draw: SKRSContext2D, words: string, x: number, y: number, size: number, colour: string): void {
  draw.font = `${size}px "${FONT}"`;
  draw.fillStyle = colour;
  draw.fillText(words, x, y);
}

function clockText(phone: number, atMs: number): string {
  const minutes = 9 * 60 + 41 + phone + Math.floor(atMs / 60_000);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
}
