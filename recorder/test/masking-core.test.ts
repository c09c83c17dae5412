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

  test('[RC1] a value is found as a form sends it, without the spaces around it, and longer ones before those in them', () => {
    const values = new TypedValues();
    values.note(1, '  ann lee ');
    values.note(2, 'ann lee & sons');
    expect(values.scrub('q=ann+lee')).toBe('q=*******');
    expect(values.scrub('by ann lee.')).toBe('by *******.');
    expect(values.scrub('ann lee & sons')).toBe('*'.repeat(14));
    expect(values.scrub('ann%20lee')).toBe('*'.repeat(9));
  });

  test('[RC1] only what is a number as a whole is found with other spaces', () => {
    const values = new TypedValues();
    values.note(1, '12345x');
    values.note(2, 'x12345');
    values.note(3, '12345');
    expect(values.scrub('1 2 3 4 5 x, x 1 2 3 4 5')).toBe('1 2 3 4 5 x, x 1 2 3 4 5');
  });

  test('[RC1] a value of four letters counts, one of three does not; nothing is masked before anything is typed', () => {
    const values = new TypedValues();
    expect(values.scrub('blue')).toBe('blue');
    values.note(1, 'blue');
    expect(values.scrub('blue')).toBe('****');
    values.note(1, '');
    expect(values.scrub('blue')).toBe('****');
    values.note(1, 'red');
    values.note(1, '');
    expect(values.scrub('a red one')).toBe('a red one');
  });

  test('[RC1] what stands in more fields than are remembered is remembered as long as what was cleared', () => {
    const values = new TypedValues();
    for (let field = 0; field <= ECHO_VALUES_MAX; field++) values.note(field, `value-${field}.`);
    expect(values.scrub('value-0.')).toBe('********');
    // Typed again, it is young again.
    for (let turn = 0; turn < ECHO_VALUES_MAX; turn++) {
      values.note('again', 'once more');
      values.note('again', `other ${turn}.`);
    }
    expect(values.scrub('once more')).toBe('*********');
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
    ['?q=1', '?q=*'],
    ['#a=1', '#a=*'],
    ['/a?x=1&&y', '/a?x=*&&*'],
    ['/a?=1', '/a?=*'],
    ['/a#?q=1', '/a#?q=*'],
    ['/a#b?q=1', '/a#b?q=*'],
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

  test('[RC1] inputs: what stands in a blocked element does not leave, and of a field that nobody knows only stars do', () => {
    const blocked = { type: 3, data: { source: 5, id: 1, text: 'typed', isChecked: true } };
    const unknown = { type: 3, data: { source: 5, id: 2, text: 'typed', isChecked: true } };
    const nameless = { type: 3, data: { source: 5, text: 'typed' } };
    const wordless = { type: 3, data: { source: 5, id: 1, isChecked: true } };
    for (const event of [blocked, unknown, nameless, wordless])
      scrubEvent(event, rules({ 1: { tag: 'input', type: 'text', blocked: true } }));
    expect(blocked.data).toMatchObject({ text: '', isChecked: false });
    expect(unknown.data).toMatchObject({ text: '*****', isChecked: true });
    expect(nameless.data.text).toBe('*****');
    expect(wordless.data).toEqual({ source: 5, id: 1, isChecked: true });
  });

  const scrubbed = (attributes: Record<string, unknown>, facts: Partial<NodeFacts>) => {
    const event = { type: 3, data: { source: 0, attributes: [{ id: 1, attributes }] } };
    scrubEvent(event, rules({ 1: facts }));
    return event.data.attributes[0]?.attributes;
  };

  test('[RC1] in a masked element nothing says what was chosen, and what people read or hear is stars', () => {
    const attributes = {
      checked: true,
      selected: true,
      title: 'ab',
      'aria-label': 'abc',
      'data-name': 'abcd',
      content: 'a',
      role: 'row',
      id: 'x',
    };
    const stars = { title: '**', 'aria-label': '***', 'data-name': '****', content: '*', role: 'row', id: 'x' };
    expect(scrubbed(attributes, { masked: true })).toEqual(stars);
    expect(scrubbed({ checked: true, selected: true, title: 'ab' }, {})).toEqual({ checked: true, selected: true, title: 'ab' });
  });

  test.each([
    ['an option', { tag: 'option', value: 'secret' }],
    ['a checkbox', { tag: 'input', type: 'checkbox', value: 'secret' }],
    ['a radio', { tag: 'input', type: 'radio', value: 'secret' }],
    ['a hidden field', { tag: 'input', type: 'hidden', value: 'secret' }],
    ['a text field that is empty now', { tag: 'input', type: 'text', value: '' }],
  ])('[RC1] the value of %s does not leave', (_, facts) => {
    expect(scrubbed({ value: 'secret' }, facts)).toEqual({});
  });

  test('[RC1] no attribute of a field repeats its value, but for those that the page finds it by', () => {
    const field = (value: string) => ({ tag: 'input', type: 'text', value });
    expect(scrubbed({ id: 'ann', name: 'ann', title: 'for ann', 'data-last': 'ann' }, field('ann'))).toEqual({
      id: 'ann',
      name: 'ann',
      title: 'for ***',
      'data-last': '***',
    });
    // One letter is in every attribute by chance.
    expect(scrubbed({ title: 'a table', 'data-last': 'a' }, field('a'))).toEqual({ title: 'a table', 'data-last': '*' });
    expect(scrubbed({ title: 'a table' }, field(''))).toEqual({ title: 'a table' });
    // A button's value is its label; one that is no button has none, whatever its type says.
    expect(scrubbed({ value: 'Buy', title: 'Buy' }, { tag: 'input', type: 'submit', value: 'Buy' })).toEqual({
      value: 'Buy',
      title: 'Buy',
    });
    expect(scrubbed({ value: 'Buy' }, { tag: 'select', type: 'submit', value: 'Buy' })).toEqual({ value: '***' });
    // What was typed elsewhere is masked, too.
    expect(scrubbed({ title: 'ECHO', 'data-link': '/x?q=1' }, { tag: 'p' })).toEqual({ title: '****', 'data-link': '/x?q=1' });
  });

  test('[RC1] mutations: children of a textarea are stars, those of a style stay; nodes that nobody knows are scrubbed as what they say they are', () => {
    const event = {
      type: 3,
      data: {
        source: 0,
        adds: [
          { parentId: 1, node: text(20, 'default') },
          { parentId: 2, node: text(21, '.ECHO{}') },
          { parentId: 99, node: text(22, 'ECHO here') },
          { node: text(23, 'ECHO') },
          { parentId: 99, node: element(24, 'input', { type: 'PASSWORD', value: 'raw' }) },
          { parentId: 99, node: element(25, 'a', { href: '/x?q=1', title: 'stays' }, [text(26, '')]) },
          { parentId: 99, node: { type: 5, id: 27, textContent: 'a comment' } },
        ],
        texts: [
          { id: 98, value: 'ECHO' },
          { id: 97, value: null },
        ],
        attributes: [{ id: 96, attributes: { title: 'ECHO' } }],
      },
    };
    scrubEvent(event, rules({ 1: { tag: 'textarea' }, 2: { tag: 'style' } }));
    expect(event.data.adds.map(({ node }) => node)).toEqual([
      text(20, '*******'),
      text(21, '.ECHO{}'),
      text(22, '**** here'),
      text(23, '****'),
      element(24, 'input', { type: 'PASSWORD' }),
      element(25, 'a', { href: '/x?q=*', title: 'stays' }, [text(26, '')]),
      { type: 5, id: 27, textContent: 'a comment' },
    ]);
    expect(event.data.texts).toEqual([
      { id: 98, value: '****' },
      { id: 97, value: null },
    ]);
  });

  test('[RC1] an element that was replaced by another with its number is scrubbed as the one that leaves', () => {
    const event = { type: 2, data: { node: element(1, 'a', { href: '/x?q=1', value: 'kept' }) } };
    scrubEvent(event, rules({ 1: { tag: 'input', type: 'text', value: 'typed' } }));
    expect(event.data.node.attributes).toEqual({ href: '/x?q=*', value: 'kept' });
  });

  test('[RC5] the address of a page leaves without the values of its query; other events are not looked at for one', () => {
    const page = { type: 4, data: { href: 'https://a.example/ECHO?q=1' } };
    const other = { type: 5, data: { href: 'https://a.example/ECHO?q=1' } };
    const odd = { type: 4, data: { href: 7 } };
    for (const event of [page, other, odd, { type: 4 }, { type: 3, data: null }, { type: 3, data: 'text' }]) scrubEvent(event, rules({}));
    expect(page.data.href).toBe('https://a.example/****?q=*');
    expect(other.data.href).toBe('https://a.example/ECHO?q=1');
    expect(odd.data.href).toBe(7);
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
