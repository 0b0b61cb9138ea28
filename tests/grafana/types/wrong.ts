// Mistakes that the check must see: the compiler complains of each line that is right against the comment.
import type { Dashboard } from "@grafana/schema";
import type { Options as StatPanelCfg } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Plain } from "./plain";

type Board = Plain<Dashboard>;
// @ts-expect-error a name that is written otherwise
export const name: Board = { schemaVersion: 41, panels: [{ type: "stat", gridpos: { h: 1, w: 1, x: 0, y: 0 } }] };
// @ts-expect-error a text for a number
export const kind: Board = { schemaVersion: "41" };
// @ts-expect-error a mode that is none
export const mode: Board = { schemaVersion: 41, panels: [{ type: "stat", fieldConfig: { defaults: { thresholds: { mode: "absolut", steps: [] } }, overrides: [] } }] };
// @ts-expect-error an option of a panel that is none
export const option: Plain<StatPanelCfg>["colorMode"] = "loud";
