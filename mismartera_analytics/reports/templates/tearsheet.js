"use strict";
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "scheme";
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  system.addEventListener("change", name);
  button.setAttribute("aria-label", "Change the colours");
  name();
  document.querySelector("main").prepend(button);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      const isNumber = head.classList.contains("n");
      rows.sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (!isNumber) return x < y ? -1 : x > y ? 1 : 0;
        const [p, q] = [parseFloat(x), parseFloat(y)];
        return (Number.isNaN(p) ? -Infinity : p) - (Number.isNaN(q) ? -Infinity : q);
      });
      if (down) rows.reverse();
      body.append(...rows);
    });
  });
}

for (const figure of document.querySelectorAll("[data-hover]")) {
  const { x: days, labels, series } = JSON.parse(figure.dataset.hover);
  const written = (value, kind) => {
    if (value === null) return "\u2013";
    const [number, digits] = kind === "percent" ? [100 * value, 2] : [value, kind === "count" ? 0 : 2];
    const text = Math.abs(number).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return (number < 0 ? "\u2212" : "") + text + (kind === "percent" ? "%" : "");
  };
  for (const panel of figure.querySelectorAll("[data-frame]")) {
    const [left, right, first, last] = panel.dataset.frame.split(",").map(Number);
    const hair = document.createElement("div");
    const tip = document.createElement("div");
    hair.className = "hair";
    tip.className = "tip";
    hair.hidden = tip.hidden = true;
    panel.append(hair, tip);
    const hide = () => { hair.hidden = tip.hidden = true; };
    const show = (event) => {
      const box = panel.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width - left) / (right - left);
      if (share < 0 || share > 1) return hide();
      const day = first + share * (last - first);
      let low = 0;
      let high = days.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (days[middle] < day) low = middle + 1; else high = middle;
      }
      if (low > 0 && day - days[low - 1] < days[low] - day) low -= 1;
      const title = document.createElement("b");
      title.textContent = labels ? labels[low] : new Date(days[low] * 864e5).toISOString().slice(0, 10);
      const lines = series.map(({ name, kind, values }) => {
        const line = document.createElement("span");
        const label = document.createElement("i");
        label.textContent = name;
        line.append(label, written(values[low], kind));
        return line;
      });
      tip.replaceChildren(title, ...lines);
      hair.hidden = tip.hidden = false;
      const x = box.width * (left + (right - left) * (days[low] - first) / (last - first));
      hair.style.left = `${x}px`;
      const room = x + tip.offsetWidth + 14 < box.width;
      tip.style.left = `${Math.max(0, room ? x + 12 : x - tip.offsetWidth - 12)}px`;
    };
    panel.addEventListener("pointermove", show);
    panel.addEventListener("pointerdown", show);
    panel.addEventListener("pointerleave", hide);
  }
}
