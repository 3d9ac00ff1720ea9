/** The few things that this page does with elements. */

export function get<E extends Element = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as Element as E;
}

/** make creates an element with a class and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  name = "",
  ...inner: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  if (name) e.className = name;
  e.append(...inner);
  return e;
}

/** icon is one of the page's symbols. */
export function icon(id: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-" + id);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export const turn = (svg: SVGSVGElement, id: string): void => set(svg.firstElementChild!, "href", "#i-" + id);

// Writing what is there already costs a layout, and makes screen readers speak.
export function text(e: Element, value: string): void {
  if (e.textContent !== value) e.textContent = value;
}

export function set(e: Element, name: string, value: string): void {
  if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

export function show(e: HTMLElement, yes: boolean): void {
  if (e.hidden === yes) e.hidden = !yes;
}
