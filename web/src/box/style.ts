/** The look of <upload-box>; pages change it by the custom properties and by ::part(). */
export const style = `
:host {
  --upload-accent: light-dark(#7a4a12, #e0ab6a);
  --upload-on-accent: light-dark(#fff, #16181b);
  --upload-ground: transparent;
  --upload-line: light-dark(#8b8779, #767d86);
  --upload-faint: light-dark(#5d646d, #a3a9b1);
  --upload-bad: light-dark(#a3271b, #f2958a);
  --upload-radius: .75rem;
  display: block; font: inherit; line-height: 1.45;
}
:host([hidden]), [hidden] { display: none !important }
* { box-sizing: border-box }
.zone {
  display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding: 1.25rem;
  background: var(--upload-ground); border: 1.5px dashed var(--upload-line); border-radius: var(--upload-radius);
}
.over .zone { border-color: var(--upload-accent); outline: 2px solid var(--upload-accent) }
.words { flex: 1 1 12rem; min-width: 0 }
.label { font-weight: 600 }
.hint, .state { color: var(--upload-faint); font-size: .875em; font-variant-numeric: tabular-nums }
button {
  min-height: 2.75rem; padding: .35rem .9rem; font: inherit; font-weight: 550; color: inherit; cursor: pointer;
  background: none; border: 1px solid var(--upload-line); border-radius: calc(var(--upload-radius) * .75);
}
button:hover { border-color: var(--upload-accent) }
.choose { color: var(--upload-on-accent); background: var(--upload-accent); border-color: var(--upload-accent) }
:disabled { opacity: .55; cursor: not-allowed }
:focus-visible { outline: 3px solid var(--upload-accent); outline-offset: 2px }
ul { list-style: none; margin: 0; padding: 0; max-height: 24rem; overflow: auto }
li { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .5rem; padding: .6rem 0 }
li + li { border-top: 1px solid color-mix(in srgb, var(--upload-line) 35%, transparent) }
.what { flex: 1 1 12rem; min-width: 0 }
.name { display: block; font-weight: 550; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: match-parent; color: inherit }
.bad .state, .problem { color: var(--upload-bad) }
.bar { height: .3rem; margin-top: .3rem; border-radius: 1rem; overflow: hidden; background: color-mix(in srgb, var(--upload-line) 35%, transparent) }
.bar i { display: block; height: 100%; background: var(--upload-accent); transform-origin: 0 0; transform: scaleX(var(--done, 0)) }
:dir(rtl) .bar i { transform-origin: 100% 0 }
li button { padding: .2rem .7rem; font-size: .875em }
.before { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem; margin: .5rem 0 0 }
.problem { margin: .5rem 0 0; font-size: .9em }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (forced-colors: active) { .bar { border: 1px solid CanvasText } .bar i { background: Highlight; forced-color-adjust: none } }
`;
