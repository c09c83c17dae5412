import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeFacts } from '../src/core/scrub.ts';
import { maskValue, scrubEvent } from '../src/core/scrub.ts';
import { ECHO_CHARS_MIN, ECHO_VALUES_MAX, TypedValues } from '../src/core/typed-values.ts';
import { redactUrl } from '../src/core/urls.ts';

const none: NodeFacts = { tag: 'p', type: '', value: '', masked: false, blocked: false };

describe('typed values', () => {
  test('[RC1] a typed value is in no text that is scrubbed, whatever its characters', () => {
    const value = fc
      .string({ minLength: ECHO_CHARS_MIN, maxLength: 40, unit: 'grapheme' })
      .filter((text) => text.trim().length >= ECHO_CHARS_MIN && !text.includes('*'));
    fc.assert(
      fc.property(value, fc.string(), fc.string(), (typed, before, after) => {
        const values = new TypedValues();
        values.note(1, typed);
        const shown = values.scrub(`${before} ${typed} ${after}`);
        expect(shown).not.toContain(typed.trim());
        expect(values.scrub(`x?${encodeURIComponent(typed.trim())}&`)).not.toContain(encodeURIComponent(typed.trim()));
      }),
    );
  });

  test('[RC1] a value that was cleared or shortened is still remembered, one that grew is remembered as a whole', () => {
    const values = new TypedValues();
    for (const text of ['se', 'secr', 'secret', 'secret7', 'secret', 'x', '']) values.note(1, text);
    expect(values.scrub('it was secret7, then secret')).toBe('it was *******, then ******');
    expect(values.scrub('a secretary')).toBe('a ******ary');
  });

  test('[RC1] a number is masked with other spaces than it was typed with', () => {
    const values = new TypedValues();
    values.note(1, '4242 4242 4242 4242');
    expect(values.scrub('card 4242424242424242 or 4242-4242-4242-4242')).not.toMatch(/\d/);
  });

  test('[RC1] short values mask nothing, and memory is bounded', () => {
    const values = new TypedValues();
    values.note(1, 'red');
    expect(values.scrub('a red chair')).toBe('a red chair');
    for (let i = 0; i < ECHO_VALUES_MAX * 4; i++) values.note(i + 2, `value-${i}`);
    expect(values.scrub(`value-${ECHO_VALUES_MAX * 4 - 1}`)).toMatch(/^\*+$/);
    expect(values.scrub('value-0')).toBe('value-0');
  });
});

describe('URLs', () => {
  test.each([
    ['https://a.example/find?q=shoes&page=2', 'https://a.example/find?q=*&page=*'],
    ['https://user:pass@a.example/', 'https://a.example/'],
    ['/find?secret', '/find?*'],
    ['/find?q=&x=1', '/find?q=&x=*'],
    ['/a#section-2', '/a#section-2'],
    ['/a#access_token=abc&state=x', '/a#access_token=*&state=*'],
    ['/a#/route?email=ann%40example.org', '/a#/route?email=*'],
    ['/a?keep=1&q=2#x', '/a?keep=1&q=*#x'],
    ['data:text/html,secret', 'data:'],
    ['/a?', '/a?'],
    ['', ''],
  ])('[RC5] %s leaves as %s', (url, expected) => {
    expect(redactUrl(url, new Set(['keep']))).toBe(expected);
  });

  test('[RC5] no value of a query leaves, whatever the URL', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.stringMatching(/^[a-z]{1,8}$/), fc.stringMatching(/^[A-Z0-9]{6,12}$/), (url, name, value) => {
        const separator = url.includes('?') ? '&' : '?';
        expect(redactUrl(`${url}${separator}${name}=S-${value}-E#t=S-${value}-E`)).not.toContain(`S-${value}-E`);
      }),
    );
  });
});

describe('DOM events', () => {
  const rules = (facts: Record<number, Partial<NodeFacts>>) => ({
    factsOf: (id: number) => (facts[id] ? { ...none, ...facts[id] } : undefined),
    echo: (text: string) => text.replaceAll('ECHO', '****'),
    keepQuery: new Set<string>(),
  });
  const element = (id: number, tagName: string, attributes: Record<string, unknown>, childNodes: unknown[] = []) => ({
    type: 2,
    id,
    tagName,
    attributes,
    childNodes,
  });
  const text = (id: number, textContent: string) => ({ type: 3, id, textContent });

  test('[RC1] a full snapshot: values, defaults, options and mirrors of values are masked, what draws the page stays', () => {
    const event = {
      type: 2,
      data: {
        node: element(1, 'div', { class: 'ECHO' }, [
          element(2, 'input', { type: 'text', value: 'raw default', title: 'typed it', class: 'typed' }),
          element(3, 'input', { type: 'hidden', value: 'token' }),
          element(4, 'input', { type: 'radio', value: 'choice', checked: true }),
          element(5, 'textarea', {}, [text(6, 'default text')]),
          element(7, 'input', { type: 'submit', value: 'Buy' }),
          element(8, 'option', { value: 'opt' }, [text(9, 'Label')]),
          element(10, 'a', { href: '/x?q=1' }, [text(11, 'says ECHO')]),
          element(12, 'style', {}, [text(13, '.ECHO{}')]),
          element(14, 'p', { title: 'private', 'aria-label': 'private' }),
          element(15, 'input', { type: 'password', value: 'raw' }),
        ]),
      },
    };
    scrubEvent(
      event,
      rules({
        2: { tag: 'input', type: 'text', value: 'typed' },
        3: { tag: 'input', type: 'hidden', value: 'token' },
        4: { tag: 'input', type: 'radio', value: 'choice' },
        5: { tag: 'textarea' },
        7: { tag: 'input', type: 'submit', value: 'Buy' },
        8: { tag: 'option' },
        10: { tag: 'a' },
        14: { masked: true },
        15: { tag: 'input', type: 'password', value: 'pw' },
      }),
    );
    expect(event.data.node.childNodes).toEqual([
      element(2, 'input', { type: 'text', value: '*****', title: '***** it', class: 'typed' }),
      element(3, 'input', { type: 'hidden' }),
      element(4, 'input', { type: 'radio', checked: true }),
      element(5, 'textarea', {}, [text(6, '************')]),
      element(7, 'input', { type: 'submit', value: 'Buy' }),
      element(8, 'option', {}, [text(9, 'Label')]),
      element(10, 'a', { href: '/x?q=*' }, [text(11, 'says ****')]),
      element(12, 'style', {}, [text(13, '.ECHO{}')]),
      element(14, 'p', { title: '*******', 'aria-label': '*******' }),
      element(15, 'input', { type: 'password', value: '********' }),
    ]);
    expect(event.data.node.attributes).toEqual({ class: 'ECHO' });
  });

  test('[RC1] mutations: what is in a blocked element is left out, texts and attributes are scrubbed', () => {
    const event = {
      type: 3,
      data: {
        source: 0,
        adds: [{ parentId: 1, node: text(20, 'ECHO') }],
        texts: [
          { id: 2, value: 'ECHO' },
          { id: 3, value: 'hidden' },
        ],
        attributes: [
          { id: 3, attributes: { title: 'hidden' } },
          { id: 4, attributes: { value: 'new', style: { color: 'red' }, 'data-x': null } },
        ],
      },
    };
    scrubEvent(event, rules({ 1: {}, 2: {}, 3: { blocked: true }, 4: { tag: 'input', type: 'text', value: 'new' } }));
    expect(event.data).toEqual({
      source: 0,
      adds: [{ parentId: 1, node: text(20, '****') }],
      texts: [{ id: 2, value: '****' }],
      attributes: [{ id: 4, attributes: { value: '***', style: { color: 'red' }, 'data-x': null } }],
    });
  });

  test('[RC1] inputs: text is stars, choices have no value, masked choices do not show', () => {
    const input = (id: number, facts: Partial<NodeFacts>) => {
      const event = { type: 3, data: { source: 5, id, text: 'typed', isChecked: true } };
      scrubEvent(event, rules({ [id]: facts }));
      return event.data;
    };
    expect(input(1, { tag: 'input', type: 'text' })).toMatchObject({ text: '*****', isChecked: true });
    expect(input(1, { tag: 'input', type: 'radio' })).toMatchObject({ text: '', isChecked: true });
    expect(input(1, { tag: 'input', type: 'checkbox', masked: true })).toMatchObject({ text: '', isChecked: false });
    expect(input(1, { tag: 'input', type: 'password' })).toMatchObject({ text: '********' });
  });

  test('[RC1] events that hold nothing to mask stay as they are', () => {
    const source = fc.integer({ min: 1, max: 15 }).filter((number) => number !== 5);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), source, fc.jsonValue(), (type, number, rest) => {
        const event = () => ({ type, data: { source: number, rest } });
        const scrubbed = event();
        scrubEvent(scrubbed, rules({}));
        expect(scrubbed).toEqual(event());
      }),
      { numRuns: 50 },
    );
  });

  test('[RC2] the mask of a password is the same for every password', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (value) => {
        expect(maskValue(value, 'password')).toBe('********');
      }),
    );
    expect(maskValue('', 'password')).toBe('');
  });
});
