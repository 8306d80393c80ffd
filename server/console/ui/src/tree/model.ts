// The part of the tree that is open, as rows. Of the children of a znode only the
// pages are read that are looked at, so a row may be known to exist without being
// known.
import { signal } from "@preact/signals";
import { asFailure, get, type Failure } from "../api";
import { join, nameOf, parentOf } from "../names";
import type { Child, Children, NodeEvent } from "../types";

const pageSize = 500;
const pageRest = 1000; // ms before a page is read again
const flashTime = 4000; // ms for which a change is marked

// Dir is an open znode. Its children may have changed since a page was read: then
// the page's pzxid is not the latest one.
interface Dir {
  path: string;
  total: number;
  pzxid: string;
  children: (Child | undefined)[];
  index: Map<string, number>;
  pages: Map<number, { pzxid: string; at: number }>;
  loading: Map<number, Promise<void>>; // the readings under way
  loaded: boolean; // something has been read
  failure?: Failure;
}

export interface Row {
  path: string | undefined; // undefined: not read yet
  child: Child | undefined;
  dir: Dir;
  index: number; // among its siblings
  level: number; // 1 is the root
  open: boolean;
}

// Run is rows that follow one another in one Dir, with nothing open between them;
// the last may be open.
interface Run {
  dir: Dir;
  from: number;
  to: number;
  level: number;
  row: number; // of the first
}

const rootChild: Child = { name: "/", numChildren: 0, size: 0, type: "persistent", ephemeral: false };

export class Model {
  // changed is counted up when rows are to be shown anew.
  readonly changed = signal(0);
  private readonly dirs = new Map<string, Dir>();
  private readonly top: Dir;
  private runs: Run[] = [];
  private rows = 1;
  private readonly flashes = new Map<string, number>();
  private stale = true;

  constructor() {
    this.top = this.newDir("");
    Object.assign(this.top, { total: 1, loaded: true, children: [{ ...rootChild }] });
    this.top.index.set("/", 0);
    this.open("/");
  }

  private newDir(path: string): Dir {
    return { path, total: 0, pzxid: "", children: [], index: new Map(), pages: new Map(), loading: new Map(), loaded: false };
  }

  private redraw() {
    this.stale = true;
    this.changed.value++;
  }

  isOpen = (path: string) => this.dirs.has(path);
  opened = () => [...this.dirs.keys()];

  open(path: string) {
    if (this.dirs.has(path)) return;
    const dir = this.newDir(path);
    this.dirs.set(path, dir);
    void this.read(dir, 0);
    this.redraw();
  }

  close(path: string) {
    if (path === "/") return;
    for (const p of this.dirs.keys()) if (p === path || p.startsWith(`${path}/`)) this.dirs.delete(p);
    this.redraw();
  }

  get length() {
    this.layOut();
    return this.rows;
  }

  private layOut() {
    if (!this.stale) return;
    this.stale = false;
    this.runs = [];
    let row = 0;
    const add = (dir: Dir, level: number) => {
      const open: [number, Dir][] = [];
      if (dir === this.top) open.push([0, this.dirs.get("/")!]);
      else if (this.dirs.size > 1) {
        for (const d of this.dirs.values()) {
          if (d.path === "/" || parentOf(d.path) !== dir.path) continue;
          const i = dir.index.get(nameOf(d.path));
          if (i !== undefined && i < dir.total) open.push([i, d]);
        }
      }
      open.sort((a, b) => a[0] - b[0]);
      let from = 0;
      for (const [i, d] of open) {
        this.runs.push({ dir, from, to: i + 1, level, row });
        row += i + 1 - from;
        from = i + 1;
        add(d, level + 1);
      }
      if (from < dir.total) {
        this.runs.push({ dir, from, to: dir.total, level, row });
        row += dir.total - from;
      }
    };
    add(this.top, 1);
    this.rows = row;
  }

  row(i: number): Row | undefined {
    this.layOut();
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.runs[mid]!.row <= i) low = mid + 1;
      else high = mid;
    }
    const run = this.runs[low - 1];
    if (!run || i >= run.row + run.to - run.from) return undefined;
    const index = run.from + i - run.row;
    const child = run.dir.children[index];
    const path = child && (run.dir === this.top ? "/" : join(run.dir.path, child.name));
    return { path, child, dir: run.dir, index, level: run.level, open: path !== undefined && this.dirs.has(path) };
  }

  // rowOf is where a path stands; -1 if it is not among the rows that are known.
  rowOf(path: string): number {
    this.layOut();
    const dir = path === "/" ? this.top : this.dirs.get(parentOf(path));
    const index = dir?.index.get(nameOf(path));
    return dir && index !== undefined ? this.rowAt(dir, index) : -1;
  }

  rowAt(dir: Dir, index: number): number {
    this.layOut();
    const run = this.runs.find((r) => r.dir === dir && index >= r.from && index < r.to);
    return run ? run.row + index - run.from : -1;
  }

  // need has a row read if it is not, or not as it is now.
  need(row: Row) {
    if (row.dir === this.top) return;
    const page = Math.floor(row.index / pageSize);
    const have = row.dir.pages.get(page);
    if (have && (have.pzxid === row.dir.pzxid || Date.now() - have.at < pageRest)) return;
    void this.read(row.dir, page);
  }

  private read(dir: Dir, page: number): Promise<void> {
    let reading = dir.loading.get(page);
    if (!reading) {
      reading = this.readPage(dir, page);
      dir.loading.set(page, reading);
    }
    return reading;
  }

  private async readPage(dir: Dir, page: number): Promise<void> {
    try {
      const r = await get<Children>("children", { path: dir.path, from: page * pageSize, count: pageSize }, true);
      this.take(dir, r);
      dir.pages.set(page, { pzxid: r.pzxid, at: Date.now() });
      dir.failure = undefined;
    } catch (e) {
      dir.failure = asFailure(e);
      dir.pages.set(page, { pzxid: dir.pzxid, at: Date.now() });
      if (dir.failure.code === "NoNode") this.close(dir.path);
    } finally {
      dir.loading.delete(page);
      this.redraw();
    }
  }

  private take(dir: Dir, r: Children) {
    const before = dir.loaded && dir.children.length > 0 ? dir.index : undefined;
    const news: string[] = [];
    if (r.pzxid !== dir.pzxid) {
      dir.pzxid = r.pzxid;
      dir.total = r.total;
      dir.children.length = r.total;
    }
    // What has gone since the list was made is not in the answer: the rest moves up.
    const until = Math.min(r.from + Math.max(pageSize, r.children.length), dir.total);
    for (let i = r.from; i < until; i++) {
      const old = dir.children[i];
      if (old && dir.index.get(old.name) === i) dir.index.delete(old.name);
      dir.children[i] = undefined;
    }
    r.children.forEach((child, i) => {
      if (before && r.total <= pageSize && !this.known(dir, child.name)) news.push(child.name);
      dir.children[r.from + i] = child;
      dir.index.set(child.name, r.from + i);
    });
    if (r.from + pageSize >= dir.total && r.from + r.children.length < dir.total) {
      dir.total = r.from + r.children.length;
      dir.children.length = dir.total;
    }
    dir.loaded = true;
    this.names.set(dir, new Set(r.total <= pageSize ? r.children.map((c) => c.name) : []));
    for (const name of news) this.flash(join(dir.path, name));
    this.count(dir);
  }

  private readonly names = new WeakMap<Dir, Set<string>>();
  private known = (dir: Dir, name: string) => this.names.get(dir)?.has(name) ?? true;

  // count has the parent's row say how many children there are.
  private count(dir: Dir) {
    const parent = dir.path === "/" ? this.top : this.dirs.get(parentOf(dir.path));
    const child = parent?.children[parent.index.get(nameOf(dir.path)) ?? -1];
    if (child) child.numChildren = dir.total;
  }

  // seek finds the first child whose name is not before the given one, and reads what
  // is around it.
  async seek(path: string, name: string): Promise<{ dir: Dir; index: number; name: string } | undefined> {
    const dir = this.dirs.get(path);
    if (!dir) return undefined;
    const r = await get<Children>("children", { path, seek: name, count: 1 });
    const first = r.children.at(-1);
    if (r.index === undefined || !first) return undefined;
    await this.read(dir, Math.floor(r.index / pageSize));
    return { dir, index: r.index, name: first.name };
  }

  // reveal opens all above a path and reads its own row; it returns the row, or -1
  // if there is no such znode.
  async reveal(path: string): Promise<number> {
    let at = "/";
    const parts = path === "/" ? [] : path.slice(1).split("/");
    for (const name of parts) {
      this.open(at);
      const dir = this.dirs.get(at)!;
      if (!dir.loaded) await this.loaded(dir);
      if (dir.index.get(name) === undefined) {
        if (dir.total <= pageSize && dir.pages.get(0)?.pzxid === dir.pzxid) return -1;
        await this.seek(at, name).catch(() => undefined);
        if (dir.index.get(name) === undefined) return -1;
      }
      at = join(at, name);
    }
    return this.rowOf(path);
  }

  private loaded(dir: Dir): Promise<void> {
    return new Promise((done) => {
      const stop = this.changed.subscribe(() => {
        if (dir.loaded || dir.failure) {
          done();
          queueMicrotask(() => stop());
        }
      });
    });
  }

  // hear takes an event of the server. What is in sight is read again, by need.
  hear(e: NodeEvent) {
    const parent = this.dirs.get(parentOf(e.path));
    switch (e.kind) {
      case "created":
      case "deleted":
        if (parent) this.outdate(parent);
        if (e.kind === "deleted" && e.path !== "/") this.close(e.path);
        break;
      case "children": {
        const dir = this.dirs.get(e.path);
        if (dir) this.outdate(dir);
        else if (parent) this.outdateRow(parent, e.path); // it says how many there are
        break;
      }
      case "changed":
        if (!parent) break;
        this.flash(e.path);
        this.outdateRow(parent, e.path);
        break;
    }
    this.redrawSoon();
  }

  // outdateAll is for when events were missed.
  outdateAll() {
    for (const dir of this.dirs.values()) this.outdate(dir);
    this.redrawSoon();
  }

  private outdateRow(parent: Dir, path: string) {
    const i = parent.index.get(nameOf(path));
    const page = i === undefined ? undefined : parent.pages.get(Math.floor(i / pageSize));
    if (page) page.pzxid = "";
  }

  private outdate(dir: Dir) {
    for (const page of dir.pages.values()) page.pzxid = "";
    dir.failure = undefined;
    if (!dir.total) void this.read(dir, 0); // no row asks for it
  }

  private soon: ReturnType<typeof setTimeout> | undefined;
  private redrawSoon() {
    // Once more after a page may be read again.
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.redraw();
      setTimeout(() => this.redraw(), pageRest);
    }, 100);
  }

  private flash(path: string) {
    this.flashes.set(path, Date.now());
    setTimeout(() => {
      if (Date.now() - (this.flashes.get(path) ?? 0) >= flashTime) {
        this.flashes.delete(path);
        this.redraw();
      }
    }, flashTime + 50);
  }

  flashed = (path: string) => this.flashes.has(path);
}
