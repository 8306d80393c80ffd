// What the server's API answers (server/console). Zxids and ids are "0x..." texts,
// for they do not fit into a number; bytes are base64.

export interface Identity {
  sid: number;
  version: string;
  cluster: string;
  state: string; // in ZooKeeper's words
  serving: boolean;
}

export interface Me extends Identity {
  user: string;
  writable: boolean;
  writeProblem: string;
  maxBuffer: number; // bytes
  ends: string;
  idleMs: number;
}

export interface LoginMethods {
  super: boolean;
  token: boolean;
  tokenProblem?: string;
  signedIn: boolean;
}

export interface Child {
  name: string;
  numChildren: number;
  size: number;
  type: ZnodeType;
  ephemeral: boolean;
}

export interface Children {
  path: string;
  total: number;
  cversion: number;
  pzxid: string;
  from: number;
  children: Child[];
  index?: number;
}

export type ZnodeType = "persistent" | "ephemeral" | "container" | "ttl";

export interface Stat {
  czxid: string;
  mzxid: string;
  pzxid: string;
  ctime: number; // ms
  mtime: number;
  version: number;
  cversion: number;
  aversion: number;
  ephemeralOwner: string;
  dataLength: number;
  numChildren: number;
}

export interface ACLEntry {
  scheme: string;
  id: string;
  perms: string;
}

export interface Quota {
  path: string;
  count: number | null;
  bytes: number | null;
  countLimit: number | null;
  bytesLimit: number | null;
  countHardLimit: number | null;
  bytesHardLimit: number | null;
}

export interface Znode {
  path: string;
  data: string | null;
  size: number;
  stat: Stat;
  acl: ACLEntry[];
  type: ZnodeType;
  ttlMillis?: number;
  quota: Quota | null;
  watches: { data: number; children: number; recursive: number } | null;
  maxBuffer: number;
  frame: number;
}

export interface SearchResult {
  results: string[];
  truncated: boolean;
  scanned: number;
}

export interface Written {
  path: string;
  zxid: string;
  stat?: Stat;
  deleted?: number;
}

export interface NodeEvent {
  path: string;
  kind: "created" | "changed" | "deleted" | "children";
}

export interface Vote {
  epoch: number;
  zxid: string;
  sid: number;
}

export interface Ensemble {
  sid: number;
  leader: number; // 0: none
  term: number;
  standalone: boolean;
  voters: number;
  quorum: number;
  version: string;
  since: string;
  members: Member[]; // in the order in which they would be elected
  elections: Election[] | null; // newest first
}

export interface Member {
  sid: number;
  address: string;
  electionAddress: string;
  clientAddress: string;
  role: string;
  self: boolean;
  leader: boolean;
  connected: boolean;
  problem: string;
  state: string;
  rank: number;
  vote: Vote | null;
  member: boolean;
  zxid: string | null;
  lag: number | null;
  serving: boolean | null;
  readOnly: boolean;
  uptimeMs: number | null;
  version: string;
  connections: number | null;
  outstanding: number | null;
  watches: number | null;
  znodes: number | null;
  latencyAvgMs: number;
  latencyMaxMs: number;
}

export interface Election {
  at: string;
  tookMillis: number;
  leader: number;
  term: number;
  epoch: number;
  state: string;
  vote: Vote;
}

export interface Session {
  id: string;
  local: boolean;
  timeoutMs: number;
  server: number;
  ephemerals: number;
  expiresMs: number | null;
  client: string;
  watches: number | null;
}

export interface SessionDetail extends Session {
  ephemeralPaths: string[] | null;
  watchPaths: { path: string; kind: string }[] | null;
  connection: Connection | null;
}

export interface Connection {
  client: string;
  session: string | null;
  timeoutMs: number;
  established: string;
  queued: number;
  received: number;
  sent: number;
  lastOp: string;
  lastZxid: string | null;
  lastReply: string | null;
  latencyAvgMs: number;
  latencyMinMs: number;
  latencyMaxMs: number;
}

export interface Setting {
  key: string;
  value: string;
  origin: string;
  effect: string;
  note: string;
}

export interface SlowRequests {
  thresholdMs: number;
  requests: SlowRequest[];
}

export interface SlowRequest {
  at: string;
  op: string;
  path: string;
  session: string;
  client: string;
  zxid: string;
  tookMs: number;
  partsMs?: Record<string, number>;
}

export interface Warning {
  severity: "info" | "warning" | "critical";
  code: string;
  text: string;
  subject: string;
  link: string;
}

export interface History {
  atMs: number[];
  series: Record<string, number[]>;
}
