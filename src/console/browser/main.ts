/** What a browser adds to a page that reads without it: live changes, and times that stay true. */

import { helpEditing } from "./edit.ts";
import { applyFilters } from "./filters.ts";
import { followChanges } from "./follow.ts";
import { keepTimes } from "./times.ts";
import { warnOfUnsaved } from "./unsaved.ts";

const live = document.body.dataset["live"];
if (live !== undefined) followChanges(live);
keepTimes();
helpEditing();
warnOfUnsaved();
applyFilters();
