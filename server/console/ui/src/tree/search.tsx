import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { asFailure, get, type Failure } from "../api";
import { count } from "../format";
import { linkTo, Name } from "../names";
import type { SearchResult } from "../types";

const wait = 150; // ms after a key

// Search finds znodes: what begins with / is completed, anything else is looked for
// within paths. The slash key leads to it from anywhere.
export function Search() {
  const [, go] = useLocation();
  const [text, setText] = useState("");
  const [found, setFound] = useState<SearchResult>();
  const [failure, setFailure] = useState<Failure>();
  const [shown, setShown] = useState(false);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);

  // As soon as the tree is there: a key that comes before would be lost.
  useLayoutEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const where = e.target as HTMLElement;
      if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || where.closest("input, textarea, select, dialog")) return;
      e.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  useEffect(() => {
    setFailure(undefined);
    if (!text) {
      setFound(undefined);
      return;
    }
    let over = false;
    const timer = setTimeout(async () => {
      try {
        const r = await get<SearchResult>("search", { q: text, limit: 50 });
        if (!over) {
          setFound(r);
          setAt(-1);
        }
      } catch (e) {
        if (!over) setFailure(asFailure(e));
      }
    }, wait);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [text]);

  const results = found?.results ?? [];
  const choose = (path: string) => {
    setShown(false);
    setText("");
    go(linkTo(path));
    (document.querySelector("[role=tree]") as HTMLElement | null)?.focus();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    switch (e.key) {
      case "ArrowDown":
        setShown(true);
        setAt((i) => Math.min(results.length - 1, i + 1));
        break;
      case "ArrowUp":
        setAt((i) => Math.max(-1, i - 1));
        break;
      case "Tab": {
        // Completes as a shell does.
        const path = results[Math.max(0, at)];
        if (e.shiftKey || !shown || !path || !text.startsWith("/") || path === text) return;
        setText(path);
        break;
      }
      case "Enter": {
        const path = at >= 0 ? results[at] : text.startsWith("/") ? text.replace(/(.)\/+$/, "$1") : results[0];
        if (path) choose(path);
        break;
      }
      case "Escape":
        if (shown && text) setShown(false);
        else setText("");
        break;
      default:
        return;
    }
    e.preventDefault();
  };

  const open = shown && text !== "" && (found !== undefined || failure !== undefined);
  return (
    <div class="search">
      <input
        ref={input}
        type="search"
        role="combobox"
        aria-label="Search by path"
        aria-expanded={open}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={open && at >= 0 ? `found-${at}` : undefined}
        aria-keyshortcuts="/"
        placeholder="Path or part of one"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setShown(true);
        }}
        onFocus={() => setShown(true)}
        onBlur={() => setShown(false)}
        onKeyDown={onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
      {open && (
        <div class="found">
          <ul id="found" role="listbox" aria-label="Znodes found">
            {results.map((path, i) => (
              <li
                key={path}
                id={`found-${i}`}
                role="option"
                aria-selected={i === at}
                ref={(el) => {
                  if (i === at) el?.scrollIntoView({ block: "nearest" });
                }}
                onMouseDown={(e) => {
                  e.preventDefault(); // the focus stays, so that the list does
                  choose(path);
                }}
              >
                <Name text={path} />
              </li>
            ))}
          </ul>
          {failure && <p class="hint">{failure.message}</p>}
          {!failure && results.length === 0 && <p class="hint">{found?.truncated ? `Nothing among the first ${count(found.scanned)} znodes.` : "Nothing found."}</p>}
          {!failure && results.length > 0 && found?.truncated && <p class="hint">There are more; type on.</p>}
        </div>
      )}
    </div>
  );
}
