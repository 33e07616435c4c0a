/** One text for each choice that a pattern leaves, almost as short as it may be: literals, classes, groups of choices and counts. */
export function samplesOf(source: string): string[] {
  let at = 0;
  const samples = sequence();
  if (at !== source.length) throw new Error(`Not understood at ${at}: ${source}`);
  return samples;

  function sequence(): string[] {
    let all = [''];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') {
      const parts = counted(atom());
      all = all.flatMap((head) => parts.map((part) => head + part));
    }
    return all;
  }

  /** What one part can be; of a class as many characters as are asked for. */
  function atom(): (count: number) => string[] {
    const code = source[at++]!;
    if (code === '[') {
      const end = source.indexOf(']', at);
      const members = membersOf(source.slice(at, end));
      at = end + 1;
      return (count) => [Array.from({ length: count }, (_, i) => members[(i * 7) % members.length]).join('')];
    }
    if (code === '(') {
      at += 2; // ?:
      const choices = sequence();
      while (source[at] === '|') {
        at++;
        choices.push(...sequence());
      }
      at++;
      return (count) => choices.map((choice) => choice.repeat(count));
    }
    const literal = code === '\\' ? source[at++]! : code;
    return (count) => [literal.repeat(count)];
  }

  function counted(part: (count: number) => string[]): string[] {
    if (source[at] === '?') {
      at++;
      return [...part(0), ...part(1)];
    }
    if (source[at] !== '{') return part(1);
    const end = source.indexOf('}', at);
    const [least = 0, most = least] = source
      .slice(at + 1, end)
      .split(',')
      .map(Number);
    at = end + 1;
    return part(Math.min(most, least + 6));
  }
}

function membersOf(text: string): string[] {
  const members: string[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i + 1] !== '-' || text[i + 2] === undefined) members.push(text[i]!);
    else {
      for (let code = text.charCodeAt(i); code <= text.charCodeAt(i + 2); code++)
        members.push(String.fromCharCode(code));
      i += 2;
    }
  }
  // Letters and digits, where there are any: what else a key may hold can cut it into pieces.
  const plain = members.filter((member) => /[A-Za-z0-9]/.test(member));
  return plain.length > 0 ? plain : members;
}
