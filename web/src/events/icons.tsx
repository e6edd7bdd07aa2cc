/** The icon of an event: the first entry whose pattern fits the folded type name. */
import {
  IconActivity,
  IconAlertTriangle,
  IconBolt,
  IconBrain,
  IconChecklist,
  IconEye,
  IconFile,
  IconFileMinus,
  IconFilePencil,
  IconFilePlus,
  IconFileSymlink,
  IconGitBranch,
  IconGitCommit,
  IconHeartbeat,
  IconMessage,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlugConnected,
  IconRefresh,
  IconRobot,
  IconRoute,
  IconServer,
  IconShield,
  IconTag,
  IconTerminal,
  IconTerminal2,
  IconTool,
  IconUser,
  type TablerIcon,
} from "@tabler/icons-react";
import { foldName } from "./names";

const ICONS: [RegExp, TablerIcon][] = [
  [/^file\.(created|found)$/, IconFilePlus],
  [/^file\.modified$/, IconFilePencil],
  [/^file\.removed$/, IconFileMinus],
  [/^file\.renamed$/, IconFileSymlink],
  [/^file\./, IconFile],
  [/^git\.commit$/, IconGitCommit],
  [/^git\.tag/, IconTag],
  [/^git\./, IconGitBranch],
  [/^process\.started$/, IconPlayerPlay],
  [/^process\.(exited|ended)$/, IconPlayerStop],
  [/^process\.output$/, IconTerminal],
  [/^process\./, IconTerminal2],
  [/heartbeat$/, IconHeartbeat],
  [/^watch\./, IconEye],
  [/^kymo\.(bridge|client|reader|source)/, IconPlugConnected],
  [/^kymo\./, IconServer],
  [/(^|\.)tool|tool(\.?use)/, IconTool],
  [/^(agent|subagent|persona|capsule)/, IconRobot],
  [/^(llm|model|inference|memory|evaluation|eval)/, IconBrain],
  [/^(task|todo|roadmap)/, IconChecklist],
  [/^(session|cycle|workflow|orchestration)/, IconRefresh],
  [/^(message|chat|prompt|notification)/, IconMessage],
  [/^(alert|issue|anomaly|incident)/, IconAlertTriangle],
  [/^(user|auth)/, IconUser],
  [/^(security|guardian|permission)/, IconShield],
  [/^(route|bridge|dispatch)/, IconRoute],
  [/^(metric|monitor|system|status|health)/, IconActivity],
];

const iconOf = (type: string): TablerIcon => {
  const name = foldName(type);
  return ICONS.find(([pattern]) => pattern.test(name))?.[1] ?? IconBolt;
};

const known = new Map<string, TablerIcon>();

export function EventIcon({ type, size = 15 }: { type: string; size?: number }) {
  let Icon = known.get(type);
  if (Icon === undefined) {
    Icon = iconOf(type);
    // The set of types is open, and somebody's types may hold ids.
    if (known.size < 1000) known.set(type, Icon);
  }
  return <Icon size={size} stroke={1.6} aria-hidden="true" />;
}
