//! Whose work it is to put something right.

use crate::text::Lang;

/// Who can mend a failed check or what the oracle found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MendedBy {
    /// Whoever writes the host's program.
    Author,
    /// Whoever runs the host: its key, its updates, its clock, its settings.
    Admin,
    /// Whoever runs the network between client and host.
    Network,
    /// Whoever runs the test: its target, its scenario, its own clock.
    Tester,
}

impl MendedBy {
    /// Every one of them.
    pub const ALL: [MendedBy; 4] = [MendedBy::Author, MendedBy::Admin, MendedBy::Network, MendedBy::Tester];

    /// A phrase for people.
    pub const fn description(self, lang: Lang) -> &'static str {
        match lang {
            Lang::English => match self {
                MendedBy::Author => "whoever writes the host's program",
                MendedBy::Admin => "whoever runs the host",
                MendedBy::Network => "whoever runs the network between client and host",
                MendedBy::Tester => "whoever runs the test",
            },
            Lang::TraditionalChinese => match self {
                MendedBy::Author => "主機程式的開發者",
                MendedBy::Admin => "主機的系統管理員",
                MendedBy::Network => "用戶端與主機之間的網路管理員",
                MendedBy::Tester => "執行測試的人",
            },
        }
    }

    /// All of `who` as one phrase.
    pub fn list(who: &[MendedBy], lang: Lang) -> String {
        lang.list(&who.iter().map(|who| who.description(lang)).collect::<Vec<_>>())
    }
}
