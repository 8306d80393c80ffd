import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useLocation } from "wouter-preact";
import { bytes, count } from "../format";
import { linkTo, Name, nameOf, parentOf, plain } from "../names";
import { useVirtual } from "../parts";
import type { Model, Row } from "./model";
import { Search } from "./search";

const rowHeight = 26; // px; --row in the style sheet
const typing = 800; // ms after which a new name is begun

const kinds: Record<string, [mark: string, title: string]> = {
  ephemeral: ["E", "ephemeral: ends with its session"],
  container: ["C", "container: goes when its last child has gone"],
  ttl: ["T", "TTL: goes when it has been left alone for long enough"],
};

interface Props {
  model: Model;
  selected: string;
  explicit: boolean; // the address names the znode
}

// Cursor is the row that keys act on: a path or, of a row that is not read yet, its
// place.
interface Cursor {
  dir: Row["dir"] | null;
  index: number;
  path: string;
}

// TreePane is the tree. The focus stays on the whole of it and aria-activedescendant
// names the row, for rows out of sight do not exist.
export function TreePane({ model, selected, explicit }: Props) {
  const [, go] = useLocation();
  const scroller = useRef<HTMLDivElement>(null);
  // The cursor is state to be drawn, and is also kept where the next key finds it
  // though it has not been drawn yet.
  const [cursor, draw] = useState<Cursor>({ dir: null, index: 0, path: selected });
  const latest = useRef(cursor);
  const setCursor = (c: Cursor) => {
    latest.current = c;
    draw(c);
  };
  const rowOfCursor = (c: Cursor) => (c.path ? model.rowOf(c.path) : c.dir ? model.rowAt(c.dir, c.index) : -1);
  const changed = model.changed.value;
  const length = model.length;
  const virtual = useVirtual(scroller, length, rowHeight);
  const items = virtual.getVirtualItems();

  const cursorRow = rowOfCursor(cursor);

  // What is in sight is read.
  useEffect(() => {
    for (const item of items) {
      const row = model.row(item.index);
      if (row) model.need(row);
    }
  });

  // What is added or goes above does not move what is in sight.
  const anchor = useRef<{ path: string; row: number }>();
  useLayoutEffect(() => {
    const el = scroller.current;
    const a = anchor.current;
    if (!el || !a) return;
    const now = model.rowOf(a.path);
    if (now >= 0 && now !== a.row && el.scrollTop > 0) el.scrollTop += (now - a.row) * rowHeight;
  }, [changed]);
  useEffect(() => {
    const first = Math.ceil((scroller.current?.scrollTop ?? 0) / rowHeight);
    const path = model.row(first)?.path;
    anchor.current = path ? { path, row: first } : undefined;
  });

  const show = (row: number) => {
    const el = scroller.current;
    if (!el || row < 0) return;
    const top = row * rowHeight;
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + rowHeight > el.scrollTop + el.clientHeight) el.scrollTop = top + rowHeight - el.clientHeight;
  };

  // The znode that the address names is opened up to.
  useEffect(() => {
    let over = false;
    if (latest.current.path !== selected) setCursor({ dir: null, index: 0, path: selected });
    void model.reveal(selected).then((row) => {
      if (over || row < 0) return;
      requestAnimationFrame(() => {
        const el = scroller.current;
        if (!el) return;
        const top = row * rowHeight;
        if (top < el.scrollTop || top + rowHeight > el.scrollTop + el.clientHeight) el.scrollTop = Math.max(0, top - el.clientHeight / 3);
      });
    });
    return () => {
      over = true;
    };
  }, [selected, model]);

  const moveTo = (i: number) => {
    i = Math.max(0, Math.min(model.length - 1, i));
    const row = model.row(i);
    if (!row) return;
    setCursor({ dir: row.dir, index: row.index, path: row.path ?? "" });
    show(i);
  };
  // A row that was not read yet when one went there has a name by now.
  useEffect(() => {
    if (cursor.path || !cursor.dir) return;
    const row = model.row(cursorRow);
    if (row?.path) setCursor({ ...cursor, path: row.path });
  });

  const toggle = (row: Row) => {
    if (!row.path) return;
    if (row.open) model.close(row.path);
    else if (row.child!.numChildren > 0) model.open(row.path);
  };
  const choose = (row: Row) => {
    if (!row.path) return;
    setCursor({ dir: row.dir, index: row.index, path: row.path });
    go(linkTo(row.path));
  };

  const typed = useRef({ text: "", at: -typing, from: 0 });
  const typeAhead = async (key: string, at: number) => {
    const t = typed.current;
    if (performance.now() - t.at >= typing) Object.assign(t, { text: "", from: at }); // where the name began
    t.text += key;
    t.at = performance.now();
    const row = model.row(t.from);
    if (!row) return;
    const prefix = t.text;
    // Among the children of what is open, else among the siblings.
    for (const where of [row.open ? row.path : undefined, row.dir.path]) {
      if (!where) continue;
      const hit = await model.seek(where, prefix).catch(() => undefined);
      if (typed.current.text !== prefix) return;
      if (hit?.name.startsWith(prefix)) {
        moveTo(model.rowAt(hit.dir, hit.index));
        return;
      }
    }
  };

  const onKeyDown = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const at = Math.max(0, rowOfCursor(latest.current));
    const row = model.row(at);
    if (e.key.length > 1) typed.current.at = -typing; // what is typed next begins a name
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    switch (e.key) {
      case "ArrowDown":
        moveTo(at + 1);
        break;
      case "ArrowUp":
        moveTo(at - 1);
        break;
      case "PageDown":
        moveTo(at + page);
        break;
      case "PageUp":
        moveTo(at - page);
        break;
      case "Home":
        moveTo(0);
        break;
      case "End":
        moveTo(model.length - 1);
        break;
      case "ArrowRight":
        if (row?.open) moveTo(at + 1);
        else if (row) toggle(row);
        break;
      case "ArrowLeft":
        if (row?.open && row.path !== "/") toggle(row);
        else if (row?.path && row.path !== "/") moveTo(model.rowOf(parentOf(row.path)));
        break;
      case "Enter":
      case " ":
        if (row) choose(row);
        break;
      default:
        if (e.key.length !== 1 || e.key === "/") return;
        void typeAhead(e.key, at);
    }
    e.preventDefault();
  };

  return (
    <section class="tree" aria-label="Znodes">
      <Search />
      <div
        ref={scroller}
        class="rows"
        role="tree"
        aria-label="Znodes"
        tabIndex={0}
        aria-activedescendant={cursorRow >= 0 ? `row-${cursorRow}` : undefined}
        onKeyDown={onKeyDown}
      >
        <div class="all" role="presentation" style={{ height: `${virtual.getTotalSize()}px` }}>
          {items.map((item) => {
            const row = model.row(item.index);
            return row && <TreeRow key={item.index} at={item.index} row={row} model={model} cursor={item.index === cursorRow} selected={explicit && row.path === selected} toggle={toggle} choose={choose} />;
          })}
        </div>
      </div>
    </section>
  );
}

interface RowProps {
  at: number;
  row: Row;
  model: Model;
  cursor: boolean;
  selected: boolean;
  toggle: (row: Row) => void;
  choose: (row: Row) => void;
}

function TreeRow({ at, row, model, cursor, selected, toggle, choose }: RowProps) {
  const { child, path } = row;
  const style = { transform: `translateY(${at * rowHeight}px)`, paddingInlineStart: `${Math.min(row.level - 1, 24) * 14 + 4}px` };
  const position = { "aria-level": row.level, "aria-setsize": row.dir.total, "aria-posinset": row.index + 1 };
  if (!child || path === undefined) {
    return (
      <div id={`row-${at}`} role="treeitem" class={`row unread ${cursor ? "cursor" : ""}`} style={style} aria-selected={false} {...position}>
        <span class="twisty" />
        <span class="ghost">{row.dir.failure ? row.dir.failure.message : "…"}</span>
      </div>
    );
  }
  const leaf = child.numChildren === 0 && !row.open;
  const kind = kinds[child.type];
  return (
    <div
      id={`row-${at}`}
      role="treeitem"
      class={`row ${cursor ? "cursor" : ""} ${selected ? "selected" : ""} ${model.flashed(path) ? "flash" : ""}`}
      style={style}
      aria-selected={selected}
      aria-expanded={leaf ? undefined : row.open}
      aria-label={plain(nameOf(path))}
      data-path={path}
      title={plain(path)}
      {...position}
      onClick={() => choose(row)}
      onDblClick={() => toggle(row)}
    >
      <span
        class={`twisty ${leaf ? "" : row.open ? "open" : "closed"}`}
        aria-hidden="true"
        onClick={(e) => {
          e.stopPropagation();
          toggle(row);
        }}
        onDblClick={(e) => e.stopPropagation()}
      />
      <Name text={child.name} />
      {kind && (
        <span class={`kind ${child.type}`} title={kind[1]}>
          {kind[0]}
        </span>
      )}
      <span class="meta">{child.numChildren > 0 ? count(child.numChildren) : child.size > 0 ? bytes(child.size) : ""}</span>
    </div>
  );
}
