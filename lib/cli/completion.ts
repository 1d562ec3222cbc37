/** `photongate completion SHELL`: a script that completes commands and flags, for bash, zsh and fish. */
import { flagTexts, isSwitch, optionFlags } from './flags.js';

/** The shells that there are scripts for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
/** One of `shells`. */
export type Shell = (typeof shells)[number];

/** How the value of a flag is completed. */
type Completion =
  { readonly kind: 'none' | 'file' | 'text' } | { readonly kind: 'words'; readonly words: readonly string[] };

interface Flag {
  readonly name: string;
  readonly text: string;
  readonly value: Completion;
}

const fileFlags = new Set(['proto', 'proto-path', 'descriptor-set', 'rules', 'config']);

function flags(): Flag[] {
  const structural = flagTexts().map(({ name, text }): Flag => ({
    name,
    text,
    value: { kind: fileFlags.has(name) ? 'file' : isSwitch(name) || name === 'reflection' ? 'none' : 'text' },
  }));
  const options = optionFlags.map(({ name, text, placeholder, words }): Flag => {
    const kind = placeholder === undefined ? 'none' : 'text';
    return { name, text, value: words === undefined ? { kind } : { kind: 'words', words } };
  });
  return [...structural, ...options, { name: 'help', text: 'show help', value: { kind: 'none' } }];
}

/** The script, to be sourced or put where the shell looks for completions. */
export function completionScript(shell: Shell, commands: readonly string[]): string {
  return scripts[shell](flags(), commands);
}

const scripts: Readonly<Record<Shell, (flags: readonly Flag[], commands: readonly string[]) => string>> = {
  bash: (flags, commands) => `# photongate completion bash > /etc/bash_completion.d/photongate
_photongate() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  case $prev in
${flags.flatMap(bashCase).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W '${flags.map(({ name }) => `--${name}`).join(' ')}' -- "$cur"))
  else
    COMPREPLY=($(compgen -W '${commands.join(' ')}' -- "$cur"))
  fi
}
complete -F _photongate photongate
`,
  zsh: (flags, commands) => `#compdef photongate
# photongate completion zsh > "\${fpath[1]}/_photongate"
_photongate() {
  _arguments \\
${flags.map((flag) => `    ${zshSpec(flag)} \\`).join('\n')}
    '1:command:(${commands.join(' ')})'
}
if [ "$funcstack[1]" = _photongate ]; then _photongate "$@"; else compdef _photongate photongate; fi
`,
  fish: (flags, commands) =>
    [
      '# photongate completion fish > ~/.config/fish/completions/photongate.fish',
      'complete -c photongate -f',
      `complete -c photongate -n __fish_use_subcommand -a '${commands.join(' ')}'`,
      ...flags.map(({ name, text, value }) => {
        const words = value.kind === 'words' ? ` -x -a '${value.words.join(' ')}'` : '';
        const argument = value.kind === 'file' ? ' -r -F' : value.kind === 'text' ? ' -x' : words;
        return `complete -c photongate -l ${name}${argument} -d '${text.replaceAll("'", "\\'")}'`;
      }),
      '',
    ].join('\n'),
};

function bashCase({ name, value }: Flag): string[] {
  if (value.kind === 'none') return [];
  const reply =
    value.kind === 'file'
      ? 'COMPREPLY=($(compgen -f -- "$cur"))'
      : value.kind === 'words'
        ? `COMPREPLY=($(compgen -W '${value.words.join(' ')}' -- "$cur"))`
        : 'COMPREPLY=()';
  return [`    --${name}) ${reply}; return ;;`];
}

function zshSpec({ name, text, value }: Flag): string {
  const description = text.replace(/[[\]:'\\]/g, (char) => (char === "'" ? `'\\''` : `\\${char}`));
  const action =
    value.kind === 'none'
      ? ''
      : value.kind === 'file'
        ? ':file:_files'
        : value.kind === 'words'
          ? `:value:(${value.words.join(' ')})`
          : ':value: ';
  return `'*--${name}[${description}]${action}'`;
}
