//! Mistakes on the command line, told like all others: what is wrong, and what to type instead.
//!
//! In: what clap found. Out: a sentence and what helps, for the same exit code. Never: advice that only a shell's expert understands.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use super::error::CliError;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::visible;

/// Returns the sentence; `None` for what is no mistake (help, version) and for what clap tells best itself.
///
/// `words` are those of the command line, the program's own name left out.
pub fn told(error: &Error, root: &Command, words: &[String]) -> Option<CliError> {
    let found = Found { error, path: path(root, words) };
    let (fact, help) = match error.kind() {
        ErrorKind::InvalidSubcommand => found.no_command(),
        ErrorKind::UnknownArgument => found.unknown(root),
        ErrorKind::MissingRequiredArgument => found.missing(),
        ErrorKind::InvalidValue => found.not_offered(),
        ErrorKind::ValueValidation => found.refused(),
        ErrorKind::ArgumentConflict => found.conflict(),
        _ => return None,
    }?;
    Some(CliError::usage(visible(&fact).into_owned(), help))
}

/// Returns the command that the words lead to, with all on the way.
fn path<'c>(root: &'c Command, words: &[String]) -> Vec<&'c Command> {
    let mut path = vec![root];
    for word in words {
        if let Some(next) = path.last().and_then(|command| command.find_subcommand(word)) {
            path.push(next);
        }
    }
    path
}

struct Found<'a> {
    error: &'a Error,
    path: Vec<&'a Command>,
}

type Told = Option<(String, String)>;

impl Found<'_> {
    fn text(&self, kind: ContextKind) -> Option<&str> {
        match self.error.get(kind)? {
            ContextValue::String(text) => Some(text),
            ContextValue::Strings(texts) => texts.first().map(String::as_str),
            _ => None,
        }
    }

    fn texts(&self, kind: ContextKind) -> Vec<&str> {
        match self.error.get(kind) {
            Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
            Some(ContextValue::String(text)) => vec![text],
            _ => Vec::new(),
        }
    }

    /// Returns the command as it is typed: `callsheet prices diff`.
    fn command(&self) -> String {
        self.path.iter().map(|command| command.get_name()).collect::<Vec<_>>().join(" ")
    }

    /// Returns the first example of the command's help.
    fn example(&self) -> String {
        let help = self.path.last().and_then(|command| command.get_after_help()).map(ToString::to_string).unwrap_or_default();
        let mut lines = help.lines().map(str::trim).skip_while(|line| !line.starts_with("callsheet "));
        match lines.next() {
            Some(line) => {
                // What stands behind a wide gap explains the example.
                let mut example = line.split("   ").next().unwrap_or(line).to_owned();
                while let Some(begun) = example.strip_suffix('\\') {
                    example = format!("{}{}", begun, lines.next().unwrap_or_default());
                }
                format!("for example: {example}")
            }
            None => format!("`{} --help` has examples", self.command()),
        }
    }

    fn see_help(&self) -> String {
        format!("`{} --help` tells what it takes", self.command())
    }

    fn no_command(&self) -> Told {
        let asked = self.text(ContextKind::InvalidSubcommand)?;
        let names = || self.path.last().into_iter().flat_map(|command| command.get_subcommands()).map(Command::get_name);
        let help = match did_you_mean(asked, names()).or_else(|| self.text(ContextKind::SuggestedSubcommand)) {
            Some(near) => format!("did you mean `{} {near}`?", self.command()),
            None => format!("commands are {}", listed(names(), 20)),
        };
        Some((format!("`{}` has no command `{asked}`", self.command()), help))
    }

    fn unknown(&self, root: &Command) -> Told {
        let asked = self.text(ContextKind::InvalidArg)?;
        let fact = format!("`{}` takes no `{asked}`", self.command());
        if let Some(near) = self.text(ContextKind::SuggestedArg) {
            return Some((fact, format!("did you mean `{near}`?")));
        }
        if asked.strip_prefix('-').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit())) {
            return Some((fact, format!("what begins with `-` is taken for an option; a value that does is written behind `=`: `--option={asked}`")));
        }
        if !asked.starts_with('-') {
            return Some((fact, self.example()));
        }
        let name = asked.trim_start_matches('-');
        let takes = |command: &&Command| command.get_arguments().any(|arg: &Arg| arg.get_long() == Some(name));
        let others: Vec<String> = root.get_subcommands().filter(takes).map(|command| format!("callsheet {}", command.get_name())).collect();
        let help = if others.is_empty() {
            self.see_help()
        } else {
            format!("{} {} it; {}", listed(&others, 8), if others.len() == 1 { "takes" } else { "take" }, self.see_help())
        };
        Some((fact, help))
    }

    fn missing(&self) -> Told {
        let missing = self.texts(ContextKind::InvalidArg);
        let needs = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        (!missing.is_empty()).then(|| (format!("`{}` needs {needs}", self.command()), self.example()))
    }

    fn not_offered(&self) -> Told {
        let (arg, value) = (self.text(ContextKind::InvalidArg)?, self.text(ContextKind::InvalidValue)?);
        let valid = self.texts(ContextKind::ValidValue);
        if value.is_empty() {
            let help = if valid.is_empty() { self.example() } else { format!("there is {}", listed(&valid, 12)) };
            return Some((format!("`{arg}` needs a value"), help));
        }
        if valid.is_empty() {
            return None;
        }
        let help = match did_you_mean(value, valid.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? there is {}", listed(&valid, 12)),
            None => format!("there is {}", listed(&valid, 12)),
        };
        Some((format!("`{}` knows no `{value}`", flag(arg)), help))
    }

    fn refused(&self) -> Told {
        let (arg, value) = (self.text(ContextKind::InvalidArg)?, self.text(ContextKind::InvalidValue)?);
        let why = std::error::Error::source(self.error).map(ToString::to_string).unwrap_or_default();
        let why = match why.as_str() {
            "" => return None,
            // The standard library's words for a text that is no number.
            "invalid digit found in string" | "cannot parse integer from empty string" => "it is no whole number".to_owned(),
            "number too large to fit in target type" => "it is too large".to_owned(),
            other => other.to_owned(),
        };
        Some((format!("`{} {value}`: {why}", flag(arg)), self.see_help()))
    }

    fn conflict(&self) -> Told {
        let (arg, others) = (self.text(ContextKind::InvalidArg)?, self.texts(ContextKind::PriorArg));
        let (arg, first) = (flag(arg), flag(others.first()?));
        if arg == first {
            return Some((format!("`{arg}` is there twice"), "once is enough".to_owned()));
        }
        Some((format!("`{arg}` and `{first}` do not go together"), format!("leave one of them out; {}", self.see_help())))
    }
}

/// Returns `--cap` of `--cap <AMOUNT>`, and `<SHOT>` as it is.
fn flag(arg: &str) -> &str {
    if arg.starts_with('-') { arg.split([' ', '=']).next().unwrap_or(arg) } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let root = crate::cli::command();
        let error = root.clone().try_get_matches_from(std::iter::once("callsheet".to_owned()).chain(words.iter().cloned()));
        let error = error.expect_err("it is a mistake");
        let told = told(&error, &root, &words).unwrap_or_else(|| panic!("{line}: {error}"));
        format!("callsheet {line}\n  {told}\n  {}\n", told.hints().join("; "))
    }

    #[test]
    fn each_wrong_call_is_told_with_what_to_type_instead() {
        let lines = [
            "plna x.yaml",
            "frobnicate",
            "prices sho",
            "plan",
            "why x.yaml",
            "prices diff kie",
            "deliver x.yaml",
            "status x.yaml --cap 100",
            "run x.yaml --rehersal",
            "plan x.yaml --cap -5",
            "plan x.yaml y.yaml",
            "plan x.yaml --nonsense",
            "plan x.yaml --format tabel",
            "graph x.yaml --format png",
            "run x.yaml --cap",
            "plan x.yaml --cap lots",
            "estimate --finals many",
            "run x.yaml --concurrency 0",
            "plan x.yaml --base main --what-if sku=4",
            "plan x.yaml --cap 5 --cap 6",
            "completions cmd",
        ];
        insta::assert_snapshot!(lines.map(said).concat(), @r#"
        callsheet plna x.yaml
          `callsheet` has no command `plna`
          did you mean `callsheet plan`?
        callsheet frobnicate
          `callsheet` has no command `frobnicate`
          commands are `init`, `check`, `plan`, `estimate`, `run`, `status`, `why`, `reconcile`, `report`, `review`, `deliver`, `graph`, `cache`, `prices`, `providers`, `schema`, `completions` and `man`
        callsheet prices sho
          `callsheet prices` has no command `sho`
          did you mean `callsheet prices show`?
        callsheet plan
          `callsheet plan` needs `<CAMPAIGN>`
          for example: callsheet plan campaigns/spring-drop.yaml
        callsheet why x.yaml
          `callsheet why` needs `<SHOT>`
          for example: callsheet why campaigns/spring-drop.yaml 'surface[sku=teapot,angle=front,surface=oak]'
        callsheet prices diff kie
          `callsheet prices diff` needs `<NEW>`
          for example: callsheet prices diff kie my-prices.yaml
        callsheet deliver x.yaml
          `callsheet deliver` needs `--to <TO>` and `--base-url-template <TEMPLATE>`
          for example: callsheet deliver campaigns/spring-drop.yaml --to shopify --base-url-template 'https://cdn.example.com/{{ path }}'
        callsheet status x.yaml --cap 100
          `callsheet status` takes no `--cap`
          `callsheet plan` and `callsheet run` take it; `callsheet status --help` tells what it takes
        callsheet run x.yaml --rehersal
          `callsheet run` takes no `--rehersal`
          did you mean `--rehearse`?
        callsheet plan x.yaml --cap -5
          `callsheet plan` takes no `-5`
          what begins with `-` is taken for an option; a value that does is written behind `=`: `--option=-5`
        callsheet plan x.yaml y.yaml
          `callsheet plan` takes no `y.yaml`
          for example: callsheet plan campaigns/spring-drop.yaml
        callsheet plan x.yaml --nonsense
          `callsheet plan` takes no `--nonsense`
          `callsheet plan --help` tells what it takes
        callsheet plan x.yaml --format tabel
          `--format` knows no `tabel`
          did you mean `table`? there is `table`, `json`, `csv`, `markdown` and `github`
        callsheet graph x.yaml --format png
          `--format` knows no `png`
          there is `mermaid`, `dot` and `svg`
        callsheet run x.yaml --cap
          `--cap <AMOUNT>` needs a value
          for example: callsheet run campaigns/spring-drop.yaml --rehearse
        callsheet plan x.yaml --cap lots
          `--cap lots`: `lots` is not a decimal number such as `12` or `73.5`; write credits as a number, dollars as "USD 12.50"
          `callsheet plan --help` tells what it takes
        callsheet estimate --finals many
          `--finals many`: it is no whole number
          `callsheet estimate --help` tells what it takes
        callsheet run x.yaml --concurrency 0
          `--concurrency 0`: 0 is not in 1..=1000
          `callsheet run --help` tells what it takes
        callsheet plan x.yaml --base main --what-if sku=4
          `--base` and `--what-if` do not go together
          leave one of them out; `callsheet plan --help` tells what it takes
        callsheet plan x.yaml --cap 5 --cap 6
          `--cap` is there twice
          once is enough
        callsheet completions cmd
          `<SHELL>` knows no `cmd`
          there is `bash`, `elvish`, `fish`, `powershell` and `zsh`
        "#);
    }

    #[test]
    fn help_and_version_are_no_mistakes() {
        let root = crate::cli::command();
        for word in ["--help", "--version"] {
            let error = root.clone().try_get_matches_from(["callsheet", word]).expect_err("it ends there");
            assert!(told(&error, &root, &[word.to_owned()]).is_none());
        }
    }
}
