//! A page of `docs/grants/`: what it shows to be copied.

use std::fs;
use std::path::PathBuf;

use countersign_testkit::Problem;

/// Where the service of the pages is.
const SERVICE: &str = "http://127.0.0.1:7443";

/// The same where a command wants host and port alone.
const HOST: &str = "127.0.0.1:7443";

/// The languages of samples that are programs of their own.
const LANGUAGES: &[&str] = &["python", "js"];

/// Those of blocks that are none: drawings, commands (of which those by hand are tried here), and
/// parts of programs whose whole is among the examples.
const OTHERS: &[&str] = &["text", "console", "rust"];

/// The section whose commands are typed as they stand.
const BY_HAND: &str = "## By hand";

/// The commands that register who asks, and for what.
const REGISTER: &[&str] = &[
    "countersign resource add ",
    "countersign key generate ",
    "countersign client add ",
];

/// The text of a page.
pub(crate) struct Page {
    text: String,
}

/// What is copied from a page.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Copied {
    /// The commands below *By hand*.
    ByHand,
    /// A program in this language.
    Program(&'static str),
}

/// A command, and what it says.
pub(crate) struct Typed {
    pub(crate) command: String,
    pub(crate) says: String,
}

/// A fenced block.
struct Block {
    /// The heading that it stands below.
    section: String,
    language: String,
    text: String,
}

impl Page {
    /// The page of this name, for a service somewhere else.
    pub(crate) fn read(name: &str, service: &str) -> Result<Self, Problem> {
        let text = fs::read_to_string(folder().join(name))?;
        let host = service.rsplit("//").next().unwrap_or_default();
        Ok(Self {
            text: text.replace(SERVICE, service).replace(HOST, host),
        })
    }

    /// The names of all pages.
    pub(crate) fn names() -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// All that is copied from it, in its order.
    ///
    /// # Errors
    /// A block in a language of which it is not known what becomes of it.
    pub(crate) fn copied(&self) -> Result<Vec<Copied>, Problem> {
        let mut copied = Vec::new();
        for block in self.blocks() {
            let language = block.language.as_str();
            let program = LANGUAGES.iter().find(|known| **known == language);
            match program {
                Some(program) => copied.push(Copied::Program(program)),
                None if !OTHERS.contains(&language) => {
                    return Err(format!("nobody tries blocks in {language:?}").into());
                }
                None if block.section == BY_HAND && !copied.contains(&Copied::ByHand) => {
                    copied.push(Copied::ByHand);
                }
                None => {}
            }
        }
        Ok(copied)
    }

    /// Its one program in this language, to the letter.
    pub(crate) fn program(&self, language: &str) -> Result<String, Problem> {
        let mut programs = self.blocks().into_iter();
        let found = programs.find(|block| block.language == language);
        Ok(found
            .ok_or_else(|| format!("no program in {language}"))?
            .text)
    }

    /// The commands that register, resources first, each once.
    pub(crate) fn registrations(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        for begin in REGISTER {
            for command in self.commands() {
                if command.starts_with(begin) && !commands.contains(&command) {
                    commands.push(command);
                }
            }
        }
        commands
    }

    fn commands(&self) -> Vec<String> {
        let mut commands = Vec::new();
        let consoles = self.blocks().into_iter();
        for block in consoles.filter(|block| block.language == "console") {
            commands.extend(block.typed().into_iter().map(|typed| typed.command));
        }
        commands
    }

    /// What is typed below *By hand*, block by block, without what registers.
    pub(crate) fn by_hand(&self) -> Result<Vec<Vec<Typed>>, Problem> {
        let blocks = self
            .blocks()
            .into_iter()
            .filter(|block| block.section == BY_HAND && block.language == "console");
        let registers = |typed: &Typed| {
            REGISTER
                .iter()
                .any(|begin| typed.command.starts_with(begin))
        };
        let mut all: Vec<Vec<Typed>> = Vec::new();
        for block in blocks {
            let typed = block.typed().into_iter();
            all.push(typed.filter(|typed| !registers(typed)).collect());
        }
        if all.iter().all(Vec::is_empty) {
            return Err("nothing is typed by hand".into());
        }
        Ok(all)
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut section = "";
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("## ") {
                section = line;
            } else if let Some(language) = line.strip_prefix("```") {
                let inside = lines.by_ref().take_while(|line| *line != "```");
                blocks.push(Block {
                    section: section.to_owned(),
                    language: language.to_owned(),
                    text: inside.map(|line| format!("{line}\n")).collect(),
                });
            }
        }
        blocks
    }
}

impl Block {
    /// What stands behind `$ `, with the lines that go on, and what stands below it.
    fn typed(&self) -> Vec<Typed> {
        let mut all: Vec<Typed> = Vec::new();
        for line in self.text.replace("\\\n", "").lines() {
            match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => {
                    let words = command.split_whitespace();
                    all.push(Typed {
                        command: words.collect::<Vec<_>>().join(" "),
                        says: String::new(),
                    });
                }
                (None, Some(typed)) => {
                    typed.says.push_str(line);
                    typed.says.push('\n');
                }
                (None, None) => {}
            }
        }
        all
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/grants")
}
