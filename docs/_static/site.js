// The two lists of a side-by-side view: any two frameworks, remembered, and `?left=tf&right=torch`;
// and what keeps pages open to those who use no mouse.
"use strict";

const KEY = "ganref-sides";

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
}

function store(sides) {
  try {
    localStorage.setItem(KEY, JSON.stringify(sides));
  } catch {
    // a browser that keeps nothing: the choice is this page's
  }
}

function show(form, sides) {
  for (const [side, name] of Object.entries(sides)) {
    form.querySelector(`[data-side="${side}"]`).value = name;
  }
  for (const pair of document.querySelectorAll(".pair")) {
    const [left, right] = pair.dataset.pair.split(" ");
    const straight = left === sides.left && right === sides.right;
    const swapped = left === sides.right && right === sides.left;
    pair.hidden = !straight && !swapped;
    pair.classList.toggle("swapped", swapped);
  }
}

function start(form) {
  const lists = [...form.querySelectorAll("select")];
  const there = [...lists[0].options].map((option) => option.value);
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const first = { left: lists[0].value, right: lists[1].value };
  const read = () => ({ left: lists[0].value, right: lists[1].value });
  let sides = { ...first };
  for (const wanted of [stored(), asked]) {
    for (const side of ["left", "right"]) {
      if (there.includes(wanted[side])) sides[side] = wanted[side];
    }
  }
  if (sides.left === sides.right) sides = first;
  show(form, sides);
  const choose = (wanted) => {
    sides = wanted;
    store(sides);
    show(form, sides);
  };
  for (const list of lists) {
    list.addEventListener("change", () => {
      const wanted = read();
      // The same on both sides would be no comparison: the other one takes its place.
      if (wanted.left === wanted.right) {
        const other = list.dataset.side === "left" ? "right" : "left";
        wanted[other] = sides[list.dataset.side];
      }
      choose(wanted);
    });
  }
  form.querySelector("[data-swap]").addEventListener("click", () => {
    choose({ left: sides.right, right: sides.left });
  });
}

// What is wider than the screen can be moved by keyboard too.
function reach() {
  for (const box of document.querySelectorAll("article pre, .formula, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const french = document.documentElement.lang === "fr";
  const names = french ? ["Plan du site", "Plan de la page"] : ["Site", "On this page"];
  for (const [i, bar] of [".sidebar-drawer", ".toc-drawer"].entries()) {
    document.querySelector(bar)?.setAttribute("aria-label", names[i]);
  }
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) {
    caption.setAttribute("aria-level", "2");
  }
  reach();
  addEventListener("resize", reach);
  document.addEventListener("change", reach);
  for (const form of document.querySelectorAll("form.sides")) start(form);
});
