// The two lists of a side-by-side view: any two frameworks, remembered, and `?left=tf&right=torch`.
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

document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form.sides")) start(form);
});
