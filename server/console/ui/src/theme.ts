// The theme: the system's, or one that was chosen, kept in this browser.
import { computed, effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const key = "zooraft-theme";

function kept(): Theme {
  try {
    const t = localStorage.getItem(key);
    return t === "light" || t === "dark" ? t : "auto";
  } catch {
    return "auto"; // no storage is allowed
  }
}

export const theme = signal<Theme>(kept());

const query = matchMedia("(prefers-color-scheme: dark)");
const system = signal(query.matches);
query.addEventListener("change", () => (system.value = query.matches));

export const dark = computed(() => theme.value === "dark" || (theme.value === "auto" && system.value));

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  try {
    localStorage.setItem(key, theme.value);
  } catch {
    // it is forgotten then
  }
});

// colour is what a custom property of the style sheet comes to now.
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const c = getComputedStyle(probe).color;
  probe.remove();
  return c;
}
