/** Warnings that say the same of many methods, as one: 400 RPCs without a rule would push everything else off the screen. */
import type { Problem } from '../status.js';

const UNANNOTATED = 'unannotated-method';

/** How many names one line has. */
const MAX_NAMES = 5;

/** One warning for the methods of a service that have no rule, if there are several. The others stay as they are. */
export function condensed(problems: readonly Problem[]): Problem[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const service = serviceOf(problem);
    if (service !== undefined) groups.set(service, [...(groups.get(service) ?? []), problem]);
  }
  return problems.flatMap((problem) => {
    const service = serviceOf(problem);
    if (service === undefined) return [problem];
    const group = groups.get(service)!;
    if (group.length === 1) return [problem];
    return group[0] === problem ? [together(service, group)] : [];
  });
}

function serviceOf({ code, rpc }: Problem): string | undefined {
  return code === UNANNOTATED ? rpc?.slice(0, rpc.lastIndexOf('.')) : undefined;
}

function together(service: string, group: readonly Problem[]): Problem {
  const [first] = group;
  const names = group.map(({ rpc }) => rpc!.slice(service.length + 1));
  const shown = names.slice(0, MAX_NAMES).join(', ');
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return {
    code: UNANNOTATED,
    message: `${names.length} methods of ${service} have no google.api.http option, so no HTTP request reaches them: ${shown}${more}`,
    ...(first!.place !== undefined && { place: { file: first!.place.file } }),
    hint: '"photongate suggest" proposes rules; or serve such methods by auto_mapping',
  };
}
