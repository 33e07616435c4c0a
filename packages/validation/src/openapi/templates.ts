/** A path of OpenAPI and the names of its parameters, in order. */
export interface Template {
  readonly template: string;
  readonly names: readonly string[];
}

const MAX_TEMPLATES = 16;

/**
 * The paths of OpenAPI that a path of Express stands for: `/a/:id` is `/a/{id}`, and `/a{/:id}` (Express 5) or `/a/:id?`
 * (Express 4) is two. Undefined for what OpenAPI cannot say.
 */
export function templatesOf(path: string): readonly Template[] | undefined {
  const texts = expand(path.replaceAll(/\/:(\w+)(\([^()]*\))?\?/g, '{/:$1$2}'));
  if (texts === undefined || texts.length > MAX_TEMPLATES) return undefined;
  const found = [...new Set(texts)].map(toTemplate);
  return found.every((one) => one !== undefined) ? found : undefined;
}

/** With and without every optional group; innermost first. */
function expand(path: string): readonly string[] | undefined {
  const group = /\{([^{}]*)\}/.exec(path);
  if (!group) return /[{}]/.test(path) ? undefined : [path];
  const without = path.slice(0, group.index) + path.slice(group.index + group[0].length);
  const inside = path.slice(0, group.index) + group[1] + path.slice(group.index + group[0].length);
  const both = [expand(without), expand(inside)];
  if (both.some((one) => one === undefined || one.length > MAX_TEMPLATES)) return undefined;
  return both.flatMap((one) => one!);
}

function toTemplate(path: string): Template | undefined {
  const names: string[] = [];
  const template = path
    .replaceAll(/[:*](\w+)(?:\([^()]*\))?/g, (_all, name: string) => {
      names.push(name);
      return `{${name}}`;
    })
    .replace(/^$/, '/');
  return /^\/(?:[^\s\\()?*+[\]{}#]|\{\w+\})*$/.test(template) && new Set(names).size === names.length
    ? { template, names }
    : undefined;
}
