//! The scenarios a command line names: shipped ones, files, folders of files.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::common::read_at_most;
use crate::exit::Exit;
use crate::scenario::{self, FILE_BYTES_MAX, Ids, POPULATION_BYTES_MAX, Plan, Scenario, ShippedTables, Tables};
use crate::text::{self, NotText};
use crate::wire::Guid;

/// Which scenarios, and what decides their plans beside the files.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// Everything random follows from this number: same seed, same plan
    #[arg(long, default_value_t = 1, value_name = "N", env = "KMSPROOF_SEED")]
    pub seed: u64,
    /// What the host serves, and nothing else: an application (Windows, Office 2010, Office), a product or a
    /// SKU id; repeat it for more [default: what the scenario says]
    #[arg(long, value_name = "NAME", env = "KMSPROOF_SERVES", value_delimiter = ',', value_parser = parse_served)]
    serves: Vec<Served>,
}

/// The counted ids one name stands for.
#[derive(Debug, Clone)]
struct Served(Vec<Guid>);

fn parse_served(name: &str) -> Result<Served, String> {
    scenario::served(name).map(Served)
}

impl ScenarioArgs {
    /// The plan of a scenario.
    pub fn plan(&self, scenario: Scenario, ids: Ids) -> Plan {
        if self.serves.is_empty() {
            return scenario.plan(self.seed, ids);
        }
        let ids_served: Vec<Guid> = self.serves.iter().flat_map(|served| served.0.iter().copied()).collect();
        scenario.for_host_serving(&ids_served).plan(self.seed, ids)
    }
}

/// The scenarios these names stand for: files, folders of them, or shipped ones; without a name all shipped ones.
///
/// # Errors
/// What cannot be read, and every problem of a file that is no scenario.
pub fn load(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    if names.is_empty() {
        return scenario::shipped().iter().map(|(_, file, source)| parse(source, file, &ShippedTables)).collect();
    }
    let mut scenarios = Vec::new();
    for name in names {
        if let Some((_, file, source)) = scenario::shipped().iter().find(|(shipped, ..)| shipped == name) {
            scenarios.push(parse(source, file, &ShippedTables)?);
            continue;
        }
        for path in files(name)? {
            let source = read_text(&path)?;
            let folder = path.parent().unwrap_or(Path::new(""));
            scenarios.push(parse(&source, &path.display().to_string(), &Below(folder))?);
        }
    }
    Ok(scenarios)
}

fn parse(source: &str, file: &str, tables: &dyn Tables) -> Result<Scenario, Failure> {
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    scenario::load(source, file, tables).map_err(|problems| Failure::rendered(problems.render(color)))
}

/// The files `name` stands for: itself, or the `.toml` files of a folder.
fn files(name: &str) -> Result<Vec<PathBuf>, Failure> {
    let path = Path::new(name);
    if path.is_dir() {
        let unreadable = |error| Failure::input(format!("cannot read the folder {name}: {error}"));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
        found.sort();
        return match found.is_empty() {
            true => Err(Failure::new(Exit::NothingChecked, format!("nothing ran: no .toml file in the folder {name}"))),
            false => Ok(found),
        };
    }
    if !path.exists() {
        let shipped: Vec<_> = scenario::shipped().iter().map(|(name, ..)| *name).collect();
        let near = shipped.iter().find(|shipped| strsim::jaro_winkler(shipped, name) > 0.8);
        let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Failure::input(format!(
            "there is no scenario `{name}`: neither a file nor a folder nor one of the shipped ({}){near}",
            shipped.join(", ")
        )));
    }
    Ok(vec![path.to_owned()])
}

/// The folder of a scenario: its tables are below it, for a scenario may come from anybody.
struct Below<'p>(&'p Path);

impl Tables for Below<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let folder = if self.0.as_os_str().is_empty() { Path::new(".") } else { self.0 };
        let cannot = |error: std::io::Error| error.to_string();
        let path = folder.join(name).canonicalize().map_err(cannot)?;
        // A link could lead anywhere, and a pipe would never end.
        if !path.starts_with(folder.canonicalize().map_err(cannot)?) || !path.is_file() {
            return Err("it is no file below the scenario's folder".to_owned());
        }
        File::open(&path).and_then(|file| read_at_most(file, POPULATION_BYTES_MAX as u64)).map_err(cannot)
    }
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let bytes = File::open(path)
        .and_then(|file| read_at_most(file, FILE_BYTES_MAX as u64))
        .map_err(|error| Failure::input(format!("cannot read {shown}: {error}")))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Failure::input(format!("{shown}: larger than the {FILE_BYTES_MAX} bytes a scenario may have")));
    }
    text::decode(&bytes).map_err(|error| match error {
        NotText::NotUtf8 { good } => {
            let line = bytes[..good].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Failure::input(format!("{shown}, line {line}: not UTF-8; save the file as UTF-8"))
        }
        other => Failure::input(format!("{shown}: {other}; save the file as UTF-8")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_below_its_folder_only() {
        let folder = std::env::temp_dir().join(format!("kmsproof-scenarios-{}", std::process::id()));
        let below = folder.join("scenarios/populations");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("campus.csv"), "machine\npc-1\n").unwrap();
        std::fs::write(folder.join("secret.csv"), "machine\n").unwrap();
        let scenarios = folder.join("scenarios");
        let read = |name: &str| Below(&scenarios).read(name);
        assert_eq!(read("populations/campus.csv").as_deref(), Ok(&b"machine\npc-1\n"[..]));
        assert!(read("populations/nowhere.csv").is_err());
        // What no reader lets through, and what a link could do all the same.
        for name in ["../secret.csv", "populations", folder.join("secret.csv").to_str().unwrap()] {
            assert_eq!(read(name), Err("it is no file below the scenario's folder".to_owned()), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.join("secret.csv"), scenarios.join("link.csv")).unwrap();
            assert_eq!(read("link.csv"), Err("it is no file below the scenario's folder".to_owned()));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
