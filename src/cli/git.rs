//! Files as they were at a git revision, read without touching the working tree.
//!
//! ```text
//! REV ─ rev-parse ─▶ commit ─ cat-file --batch --follow-symlinks ─▶ bytes of commit:path
//! ```
//!
//! In: a revision and the folder of a campaign. Out: [`Files`]. Asks the `git` program, which is on every machine that has a
//! repository. Never: a checkout, a filter or hook of the repository, a path or a link that leaves the repository, a prompt for a password.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::error::{CliError, Outcome};
use crate::spec::Files;
use crate::types::visible;

/// Longest pointer file of Git LFS, by its specification.
const LFS_POINTER: usize = 1024;

/// First line of every pointer file of Git LFS.
const LFS_VERSION: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// Longest revision that is asked for, in bytes.
const MAX_REVISION: usize = 256;

/// Longest name of a file that is asked for, in bytes; git's answer repeats it in its first line.
const MAX_OBJECT: usize = 4096;

/// The files of one commit.
#[derive(Debug)]
pub struct GitFiles {
    /// How the revision was named; paths shown to people begin with it, as `git show` takes them.
    revision: String,
    commit: String,
    /// Where git is started.
    folder: PathBuf,
    /// The campaign's folder below the root of the repository; empty, or with a final `/`.
    prefix: String,
    reader: Mutex<Option<Reader>>,
}

impl GitFiles {
    /// Finds the commit that `revision` names in the repository that `folder` stands in.
    ///
    /// # Errors
    /// As a sentence with what to do: no git, no repository, no such revision.
    pub fn at(revision: &str, folder: &Path) -> Outcome<Self> {
        let is_odd = revision.is_empty() || revision.starts_with('-') || revision.len() > MAX_REVISION;
        if is_odd || revision.chars().any(|char| char.is_control() || char.is_whitespace() || char == ':') {
            let help = "name a branch, a tag, a commit, or what git makes of them: `main`, `origin/main`, `HEAD~1`";
            return Err(CliError::usage(format!("`{revision}` is not a git revision"), help));
        }
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let prefix = ask(folder, &["rev-parse", "--show-prefix"])?.map_err(|said| no_repository(folder, &said))?;
        let wanted = format!("{revision}^{{commit}}");
        let commit =
            ask(folder, &["rev-parse", "--verify", "--end-of-options", &wanted])?.map_err(|said| unknown_revision(revision, folder, &said))?;
        Ok(Self { revision: revision.to_owned(), commit, folder: folder.to_owned(), prefix, reader: Mutex::new(None) })
    }

    /// Returns the path under which a file of the campaign's folder is asked for: `main:campaigns/spring-drop.yaml`.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        // A path without a folder would lose the revision in the paths of what it names.
        let prefix = if self.prefix.is_empty() { "./" } else { &self.prefix };
        let mut path = format!("{}:{prefix}", self.revision);
        path.push_str(&name.to_string_lossy());
        PathBuf::from(path)
    }

    /// Returns the first digits of the commit.
    pub fn short(&self) -> &str {
        self.commit.get(..10).unwrap_or(&self.commit)
    }

    /// Returns what git calls the object at a path made by [`GitFiles::path`], or relative to one.
    fn object(&self, path: &Path) -> io::Result<String> {
        let outside = || io::Error::new(io::ErrorKind::PermissionDenied, "it is outside of the repository");
        let text = path.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"))?;
        let inside = text.strip_prefix(&self.revision).and_then(|rest| rest.strip_prefix(':')).ok_or_else(outside)?;
        let mut parts: Vec<&str> = Vec::new();
        for component in Path::new(inside).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => drop(parts.pop().ok_or_else(outside)?),
                Component::Normal(part) => parts.push(part.to_str().unwrap_or_default()),
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        let mut object = self.commit.clone();
        for (place, part) in parts.iter().enumerate() {
            let _ = write!(object, "{}{part}", if place == 0 { ':' } else { '/' });
        }
        if object.contains(['\n', '\0']) || parts.is_empty() || object.len() > MAX_OBJECT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(object)
    }

    /// Returns the content that a pointer of Git LFS stands for, if this machine has it already.
    fn smudged(&self, pointer: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let missing = || {
            let what = "at that revision it is a Git LFS pointer, and its content is not on this machine: `git lfs fetch` brings it";
            io::Error::other(format!("{what} ({})", self.revision))
        };
        let text = String::from_utf8_lossy(pointer);
        let digest = text.lines().find_map(|line| line.strip_prefix("oid sha256:")).map(str::trim).ok_or_else(missing)?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let stated = text.lines().find_map(|line| line.strip_prefix("size ")).and_then(|size| size.trim().parse::<u64>().ok());
        let home = ask(&self.folder, &["rev-parse", "--git-common-dir"]).ok().and_then(Result::ok);
        let (Some(home), true, Some(stated)) = (home, is_digest, stated) else { return Err(missing()) };
        let path = self.folder.join(home).join("lfs/objects").join(&digest[..2]).join(&digest[2..4]).join(digest);
        let bytes = crate::spec::DiskFiles.read(&path, limit).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => error,
            _ => missing(),
        })?;
        if bytes.len() as u64 == stated { Ok(bytes) } else { Err(missing()) }
    }
}

impl Files for GitFiles {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let object = self.object(path)?;
        let mut place = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = match place.take() {
            Some(reader) => reader,
            None => Reader::start(&self.folder)?,
        };
        match reader.read(&object, limit)? {
            Answer::Blob(bytes) => {
                *place = Some(reader);
                drop(place);
                let is_pointer = bytes.len() <= LFS_POINTER && bytes.starts_with(LFS_VERSION);
                if is_pointer { self.smudged(&bytes, limit) } else { Ok(bytes) }
            }
            Answer::No(error) => {
                *place = Some(reader);
                Err(error)
            }
            // What is too large is not read to its end: the reader goes, and the next file gets another.
            Answer::TooLarge => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {} MB", limit / 1_000_000))),
        }
    }
}

/// A git that answers one object after the other.
#[derive(Debug)]
struct Reader {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

enum Answer {
    Blob(Vec<u8>),
    No(io::Error),
    TooLarge,
}

impl Reader {
    fn start(folder: &Path) -> io::Result<Self> {
        let mut child = git(folder)
            .args(["cat-file", "--batch", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(asks), Some(answers)) => Ok(Self { child, asks, answers: BufReader::new(answers) }),
            _ => Err(io::Error::other("git has no input or output")),
        }
    }

    fn read(&mut self, object: &str, limit: u64) -> io::Result<Answer> {
        writeln!(self.asks, "{object}")?;
        self.asks.flush()?;
        let mut head = String::new();
        // A name is short; what has no end is no answer.
        (&mut self.answers).take(8192).read_line(&mut head)?;
        let Some(head) = head.strip_suffix('\n') else { return Err(io::Error::other("git ended without an answer")) };
        let no = |kind, why: &str| Ok(Answer::No(io::Error::new(kind, why)));
        if head == format!("{object} missing") {
            return no(io::ErrorKind::NotFound, "no such file");
        }
        let words: Vec<&str> = head.rsplitn(3, ' ').collect();
        let (size, kind) = match words.as_slice() {
            [size, kind, ..] => (size.parse::<u64>().ok(), *kind),
            _ => (None, ""),
        };
        let Some(size) = size else { return no(io::ErrorKind::InvalidInput, "not a regular file") };
        match kind {
            "blob" if size > limit => Ok(Answer::TooLarge),
            "blob" => Ok(Answer::Blob(self.content(size)?)),
            // The content of these is the path once more, or a list of files: read past it.
            "tree" | "commit" | "tag" | "symlink" | "dangling" | "loop" | "notdir" if size > LONGEST_ASIDE => Ok(Answer::TooLarge),
            "symlink" => {
                self.content(size)?;
                no(io::ErrorKind::PermissionDenied, "it is a link that leaves the repository")
            }
            "dangling" | "notdir" => {
                self.content(size)?;
                no(io::ErrorKind::NotFound, "no such file")
            }
            "tree" | "commit" | "tag" | "loop" => {
                self.content(size)?;
                no(io::ErrorKind::InvalidInput, "not a regular file")
            }
            _ => Err(io::Error::other(format!("git says `{}`", visible(head)))),
        }
    }

    /// Reads so many bytes, and the line break that ends every answer.
    fn content(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.answers).take(size).read_to_end(&mut bytes)?;
        let mut end = [0];
        self.answers.read_exact(&mut end)?;
        if bytes.len() as u64 == size && end == [b'\n'] { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Longest answer that is read only to be left aside, 16 MB: a folder of a hundred thousand files has 4 MB.
const LONGEST_ASIDE: u64 = 16_000_000;

impl Drop for Reader {
    fn drop(&mut self) {
        // It may be in the midst of a file that nobody wants.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a git that asks nobody anything.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
    command
}

/// Returns the line that git answers, or what it complains of.
fn ask(folder: &Path, words: &[&str]) -> Outcome<Result<String, String>> {
    let output = git(folder).args(words).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            CliError::usage("a revision cannot be read without git", "install git, or compare with a file: a campaign, or a saved plan")
        }
        _ => CliError::Io("cannot run `git`".to_owned(), error),
    })?;
    let line = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
    if output.status.success() { Ok(Ok(line(&output.stdout))) } else { Ok(Err(line(&output.stderr))) }
}

fn no_repository(folder: &Path, said: &str) -> CliError {
    let help = "a revision is one of the repository that the campaign stands in; without one, compare with a file: a campaign, or a saved plan";
    if said.contains("not a git repository") {
        return CliError::usage(format!("`{}` is not in a git repository", folder.display()), help);
    }
    CliError::usage(format!("git cannot read the repository of `{}`: {}", folder.display(), visible(said)), help)
}

fn unknown_revision(revision: &str, folder: &Path, said: &str) -> CliError {
    let is_shallow = ask(folder, &["rev-parse", "--is-shallow-repository"]).ok().and_then(Result::ok).is_some_and(|said| said == "true");
    let help = if is_shallow {
        "this clone holds only the latest commits; fetch the others first: in a GitHub workflow, `fetch-depth: 0` of `actions/checkout`".to_owned()
    } else {
        let remote = revision.strip_prefix("origin/").unwrap_or(revision);
        format!("`git log --oneline --all` shows what there is; `git fetch origin {remote}` may bring it; a file is told by `.yaml` or `.json`")
    };
    let said = said.trim_start_matches("fatal: ");
    let why = if said.is_empty() || said == "Needed a single revision" { String::new() } else { format!(" ({})", visible(said)) };
    CliError::usage(format!("git knows no revision `{revision}`{why}"), help)
}

#[cfg(test)]
mod tests;
