"use strict";
/* What makes the page handier where scripts run; without one everything can be read. Nothing is kept or fetched. */
{
  const page = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (tag, options, ...children) => {
    const element = Object.assign(document.createElement(tag), options);
    element.append(...children);
    return element;
  };

  /* Light and dark: as the system says, until the button is pressed. */
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (page.dataset.theme ? page.dataset.theme === "dark" : dark.matches);
  const theme = made("button", { type: "button", className: "theme" });
  const label = () => (theme.textContent = isDark() ? "Light theme" : "Dark theme");
  theme.addEventListener("click", () => {
    page.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
  document.querySelector(".made").append(theme);

  /* A recipe that is pointed at, has the focus or was pressed, in all figures and tables. */
  const marks = all("[data-recipe]"), scenes = all("svg.drawing, table, .preview");
  const pins = [];
  let over = null, focus = null, pinned = null, lit = null;
  function light() {
    const next = over ?? focus ?? pinned;
    if (next === lit) return;
    lit = next;
    for (const mark of marks) mark.classList.toggle("lit", mark.dataset.recipe === lit);
    for (const scene of scenes) scene.classList.toggle("has-lit", lit !== null && !!scene.querySelector(".lit"));
  }
  const recipe = (event) => event.target.closest?.("[data-recipe]")?.dataset.recipe ?? null;
  function pin(next) {
    pinned = next;
    for (const button of pins) button.setAttribute("aria-pressed", button.dataset.recipe === pinned);
    light();
  }
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") over = recipe(event);
    light();
  });
  document.addEventListener("pointerleave", () => { over = null; light(); });
  document.addEventListener("focusin", (event) => { focus = recipe(event); light(); });
  document.addEventListener("focusout", () => { focus = null; light(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { over = focus = null; pin(null); } });
  for (const chip of all(".forest tbody .chip, .legend .chip")) {
    const button = made("button", { type: "button", className: "pin", title: "Show this recipe in all figures and tables" });
    button.dataset.recipe = chip.closest("[data-recipe]").dataset.recipe;
    button.setAttribute("aria-pressed", "false");
    chip.replaceWith(button);
    button.append(chip);
    marks.push(button);
    pins.push(button);
    button.addEventListener("click", () => pin(pinned === button.dataset.recipe ? null : button.dataset.recipe));
  }

  /* A click on a column's head sorts the rows of each group: upwards, downwards, as they were. */
  const own = (body) => [...body.rows].filter((row) => row.className !== "group");
  function blocks(body) {
    const found = [];
    for (const row of own(body)) row.className === "remark" ? found.at(-1).push(row) : found.push([row]);
    return found;
  }
  function value(cell) {
    if (cell.dataset.sort) return Number(cell.dataset.sort);
    const text = cell.textContent.trim(), number = /^[<>+±]?\s*(-?\d*\.?\d+)/.exec(text.replaceAll("\u2212", "-").replaceAll(",", ""));
    return number ? Number(number[1]) - (text[0] === "<" ? 1e-9 : 0) : text === "\u2013" ? "" : text;
  }
  function compare(a, b) {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return typeof a === "number" ? -1 : 1;
  }
  for (const table of all(".section-table:not(.facts)")) {
    const heads = [...(table.tHead?.rows[0].cells ?? [])], bodies = [...table.tBodies];
    if (Math.max(0, ...bodies.map((body) => blocks(body).length)) < 2) continue;
    const given = bodies.map(blocks);
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = made("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[head.ariaSort] ?? "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        if (next !== "none") head.setAttribute("aria-sort", next);
        const sign = { ascending: 1, descending: -1, none: 0 }[next];
        bodies.forEach((body, index) => {
          const keyed = given[index].map((block) => [value(block[0].cells[column]), block]);
          if (sign) keyed.sort(([a], [b]) => (a === "") - (b === "") || sign * compare(a, b));
          for (const [, block] of keyed) body.append(...block);
        });
      });
    });
    const rows = given.flat().length;
    if (rows < 16) continue;
    const field = made("input", { type: "search", placeholder: "Filter rows", autocomplete: "off" });
    field.setAttribute("aria-label", "Filter rows: " + table.getAttribute("aria-label"));
    const count = made("output", {});
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      let shown = 0;
      bodies.forEach((body, index) => {
        let any = 0;
        for (const block of given[index]) {
          const fits = block.some((row) => row.textContent.toLowerCase().includes(wanted));
          for (const row of block) row.hidden = !fits;
          any += fits;
        }
        body.hidden = !any;
        shown += any;
      });
      count.textContent = wanted ? shown + " of " + rows + " rows" : "";
    });
    table.closest(".frame").before(made("p", { className: "filter" }, field, count));
  }

  /* What is wider than the page scrolls within its frame, by keys too. */
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth + 1;
      target.classList.toggle("scrolls", scrolls);
      if (scrolls) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const frame of all(".frame")) watch.observe(frame);

  /* The section that is read is marked in the table of contents. */
  const links = new Map(all("nav.aside ol a").map((link) => [link.hash.slice(1), link]));
  const inside = new Set();
  const follow = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) inside[isIntersecting ? "add" : "delete"](target.id);
    const current = [...links.keys()].find((id) => inside.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -70% 0px" });
  for (const section of all("main > section")) follow.observe(section);

  /* On paper everything is open. */
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
}
