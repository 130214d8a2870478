/* The nearest point's photograph and words, and a ring wherever it is drawn.
   Left and right go to another point, up and down to another drawing of its photograph. */
for (const frame of document.querySelectorAll(".hover")) {
  const { columns, rows, words, points } = JSON.parse(frame.dataset.hover);
  const tip = frame.querySelector(".tip"), photo = tip.querySelector("i"), text = tip.querySelector("span");
  let current = -1;
  const on = (name, act) => frame.addEventListener(name, act);

  function hide() {
    current = -1;
    tip.hidden = true;
    frame.querySelectorAll(".ring").forEach((ring) => ring.remove());
  }

  function show(index) {
    if (index === current) return;
    hide();
    if (index < 0) return;
    current = index;
    const [x, y, picture, word] = points[index];
    for (const [left, top, other] of points) {
      if (other !== picture) continue;
      const ring = document.createElement("b");
      ring.className = "ring";
      ring.style.left = left / 100 + "%";
      ring.style.top = top / 100 + "%";
      frame.append(ring);
    }
    text.textContent = words[word];
    if (photo) {
      const across = picture % columns, down = Math.floor(picture / columns);
      photo.style.backgroundPosition =
        (100 * across) / Math.max(columns - 1, 1) + "% " + (100 * down) / Math.max(rows - 1, 1) + "%";
    }
    tip.hidden = false;
    const width = frame.clientWidth, height = frame.clientHeight;
    const right = (x / 1e4) * width + 14, left = right - 28 - tip.offsetWidth;
    const beside = right + tip.offsetWidth > width && left > 0 ? left : Math.min(right, width - tip.offsetWidth);
    tip.style.left = Math.max(0, beside) + "px";
    tip.style.top = Math.max(0, Math.min((y / 1e4) * height - tip.offsetHeight / 2, height - tip.offsetHeight)) + "px";
  }

  function nearest(event, reach) {
    const box = frame.getBoundingClientRect();
    let best = -1, least = reach * reach;
    points.forEach(([x, y], index) => {
      const across = (x / 1e4) * box.width - (event.clientX - box.left);
      const down = (y / 1e4) * box.height - (event.clientY - box.top);
      const far = across * across + down * down;
      if (far < least) [best, least] = [index, far];
    });
    return best;
  }

  on("pointermove", (event) => event.pointerType !== "touch" && show(nearest(event, 16)));
  on("pointerdown", (event) => show(nearest(event, 30)));
  on("pointerleave", (event) => event.pointerType !== "touch" && hide());
  on("blur", hide);
  on("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    const count = points.length, same = event.key === "ArrowDown" || event.key === "ArrowUp";
    let next = current;
    do next = (next + step + count) % count;
    while (same && current >= 0 && points[next][2] !== points[current][2]);
    show(next);
  });
}
