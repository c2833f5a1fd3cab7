//! `cache status | clear | cleanup | warm`, in words and in JSON.

use crate::*;

const TIER: [&str; 6] = ["name", "healthy", "health", "breaker", "entries", "bytes"];
const COUNTED: [&str; 9] = [
    "hits",
    "writes",
    "promotions",
    "evictions",
    "expirations",
    "errors",
    "hit_rate",
    "oldest",
    "format",
];
const RECENT: [&str; 8] = [
    "key",
    "tier",
    "path",
    "written_at",
    "age_seconds",
    "last_access",
    "accesses",
    "bytes",
];

/// The tiers of `cache status`, checked.
fn tiers(answer: &Value, detailed: bool) -> &Vec<Value> {
    let also: &[&str] = if detailed { &COUNTED } else { &[] };
    let tiers = answer["tiers"].as_array().unwrap();
    for tier in tiers {
        shape(tier, &[&TIER[..], also].concat(), &[]);
        assert!(["closed", "open", "half-open"].contains(&tier["breaker"].as_str().unwrap()));
        assert!(tier["entries"].is_u64() || tier["entries"].is_null());
        if detailed {
            assert!(tier["hit_rate"].is_f64() || tier["hit_rate"].is_null());
            assert!(tier["oldest"].is_string() || tier["oldest"].is_null());
            assert_eq!(tier["format"].is_null(), tier["name"] == "memory");
        }
    }
    tiers
}

fn names(tiers: &[Value]) -> Vec<&str> {
    tiers
        .iter()
        .map(|tier| tier["name"].as_str().unwrap())
        .collect()
}

fn tier<'a>(answer: &'a Value, name: &str) -> &'a Value {
    tiers(answer, false)
        .iter()
        .find(|tier| tier["name"] == name)
        .unwrap()
}

#[test]
fn status_shows_every_tier_and_makes_nothing() {
    let desk = Desk::new().with_sqlite();
    let empty = desk.json("cache status");
    shape(&empty, &["format", "tiers"], &[]);
    assert_eq!(names(tiers(&empty, false)), ["memory", "files", "sqlite"]);
    for tier in tiers(&empty, false) {
        assert_eq!(
            (&tier["healthy"], &tier["entries"]),
            (&true.into(), &0.into()),
            "{tier}"
        );
    }
    let made: Vec<_> = std::fs::read_dir(desk.home.path()).unwrap().collect();
    assert!(made.is_empty(), "{made:?}");
    assert_eq!(desk.requests(), 0);

    desk.text("refresh");
    let filled = desk.json("cache status --detailed --recent 2");
    shape(&filled, &["format", "tiers", "recent"], &[]);
    for tier in &tiers(&filled, true)[1..] {
        assert!(tier["entries"].as_u64().unwrap() >= 3, "{tier}");
        assert!(tier["bytes"].as_u64().unwrap() > 1_000, "{tier}");
        assert!(
            tier["oldest"].is_string() && tier["hit_rate"].is_null(),
            "{tier}"
        );
        assert_eq!(tier["format"], 1);
    }
    let recent = filled["recent"].as_array().unwrap();
    assert_eq!(recent.len(), 2);
    for entry in recent {
        shape(entry, &RECENT, &[]);
        assert_eq!(entry["tier"], "files");
        assert!(
            Path::new(entry["path"].as_str().unwrap()).is_file(),
            "{entry}"
        );
        assert!(entry["age_seconds"].as_u64().unwrap() < 3_600);
    }
    let text = desk.text("cache status --detailed --recent 50");
    for word in [
        "memory\n",
        "files\n",
        "sqlite\n",
        "health",
        "breaker",
        "entries",
        "oldest",
        "KEY",
        "catalog:get:all",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!desk.text("cache status").contains("oldest"));
    assert!(
        desk.json("cache status --recent 0")["recent"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn clear_takes_all_or_what_matches() {
    let desk = Desk::new().with_sqlite();
    desk.text("refresh");
    let before = desk.json("cache status");
    let some = desk.json("cache clear --pattern discovery:*");
    let removed = shape(&some, &["removed"], &[])["removed"].as_u64().unwrap();
    assert_eq!(removed, 1, "{some}");
    for name in ["files", "sqlite"] {
        let entries = |answer| tier(answer, name)["entries"].as_u64().unwrap();
        assert_eq!(
            entries(&desk.json("cache status")),
            entries(&before) - removed
        );
    }
    assert_eq!(desk.json("status --offline")["source"], "cache");
    assert_eq!(desk.json("cache clear --pattern nothing:*")["removed"], 0);
    assert!(desk.text("cache clear").ends_with(" removed\n"));
    assert_eq!(desk.json("cache clear")["removed"], 0);
    assert_eq!(desk.json("status --offline")["source"], "bundle");
    assert_eq!(tier(&desk.json("cache status"), "sqlite")["entries"], 0);
}

#[test]
fn cleanup_takes_what_is_of_no_use() {
    let desk = Desk::new();
    desk.text("refresh");
    assert_eq!(desk.json("cache cleanup")["removed"], 0);
    let path = desk.json("status --offline")["path"]
        .as_str()
        .unwrap()
        .to_owned();
    std::fs::write(&path, "damaged").unwrap();
    assert!(desk.json("cache cleanup")["removed"].as_u64().unwrap() >= 1);
    assert!(!Path::new(&path).exists());
    assert_eq!(desk.text("cache cleanup"), "0 removed\n");
}

#[test]
fn warm_fills_every_tier_and_asks_only_where_it_must() {
    let desk = Desk::new();
    let warm = desk.json("cache warm");
    assert_eq!(status_shape(&warm)["source"], "api");
    assert_eq!(desk.requests(), 4);
    // A tier that came later gets what the others have, as it is.
    let desk = desk.with_sqlite();
    let warm = desk.json("cache warm");
    assert_eq!(status_shape(&warm)["tier"], "files");
    assert_eq!(desk.requests(), 4, "what is fresh is not asked for");
    let status = desk.json("cache status --detailed");
    let (disk, sqlite) = (
        tier_detailed(&status, "files"),
        tier_detailed(&status, "sqlite"),
    );
    assert_eq!(disk["entries"], sqlite["entries"]);
    assert_eq!(disk["oldest"], sqlite["oldest"], "not made younger");
    assert!(desk.text("cache warm").starts_with("cache\n"));
    let none = desk.set("BEDROCK_CATALOG_CACHE", "none");
    assert_eq!(none.json("status --offline")["tier"], "sqlite");
}

/// What was in the way was mended: all that was asked for is done.
#[test]
fn a_damaged_entry_that_is_made_good_is_no_reason_for_a_no() {
    let desk = Desk::new().with_sqlite();
    assert_eq!(desk.json("cache warm")["source"], "api");
    let path = desk.json("status --offline")["path"].clone();
    let path = Path::new(path.as_str().unwrap());
    let whole = std::fs::read(path).unwrap();
    for (verb, left) in [("warm", Some(&whole)), ("cleanup", None)] {
        desk.text("cache warm");
        std::fs::write(path, "no entry at all").unwrap();
        let call = desk.call(&format!("cache {verb}"));
        assert_eq!(call.code, 0, "{verb}: {}", call.stderr);
        assert_eq!(std::fs::read(path).ok().as_ref(), left, "{verb}");
    }
}

fn tier_detailed<'a>(answer: &'a Value, name: &str) -> &'a Value {
    tiers(answer, true)
        .iter()
        .find(|tier| tier["name"] == name)
        .unwrap()
}

#[test]
fn the_first_folder_that_works_is_written_and_the_next_is_the_second_choice() {
    let desk = Desk::new();
    let (blocked, second) = (
        desk.home.path().join("blocked"),
        desk.home.path().join("second"),
    );
    std::fs::write(&blocked, "a file where a folder should be").unwrap();
    let folders = format!(
        "--cache-dir {} --cache-dir {}",
        blocked.display(),
        second.display()
    );
    let call = desk.call(&format!("cache warm {folders}"));
    assert_eq!(call.code, 0, "{}", call.stderr);
    assert!(
        call.stderr.contains("fallback") && call.stderr.contains("blocked"),
        "{}",
        call.stderr
    );
    let kept = desk.json(&format!("status --offline {folders}"));
    assert!(
        kept["path"]
            .as_str()
            .unwrap()
            .starts_with(second.to_str().unwrap()),
        "{kept}"
    );
    let status = desk.json(&format!("cache status {folders}"));
    let health = tier(&status, "files")["health"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        health.contains("not a folder") && health.contains("usable"),
        "{health}"
    );
    // The default folder was not used, and knows nothing.
    assert_eq!(desk.json("status --offline")["source"], "bundle");
    assert!(
        desk.json(&format!("cache clear {folders}"))["removed"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[test]
fn a_tier_that_cannot_be_used_is_said_to_be_so_and_the_rest_goes_on() {
    let desk = Desk::new();
    let path = desk.home.path().join("bookmarks.sqlite");
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(other);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let desk = desk.set("BEDROCK_CATALOG_SQLITE", &path);
    let brought = desk.json("refresh");
    assert_eq!(status_shape(&brought)["source"], "api");
    let status = desk.json("cache status --detailed");
    let sqlite = tier_detailed(&status, "sqlite");
    assert_eq!(
        (&sqlite["healthy"], &sqlite["entries"]),
        (&false.into(), &Value::Null)
    );
    assert!(
        sqlite["health"]
            .as_str()
            .unwrap()
            .contains("another program"),
        "{sqlite}"
    );
    assert_eq!(tier_detailed(&status, "files")["healthy"], true);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_file_is_set_aside_with_one_warning_that_names_both() {
    let desk = Desk::new();
    let path = desk.home.path().join("cache.sqlite");
    std::fs::write(&path, "no database at all").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let desk = desk.set("BEDROCK_CATALOG_SQLITE", &path);
    let call = desk.call("refresh --json");
    assert_eq!(call.code, 0, "{}", call.stderr);
    status_shape(&document(&call.stdout));
    let told: Vec<&str> = call
        .stderr
        .lines()
        .filter(|line| line.contains("set_aside"))
        .collect();
    let [line] = told[..] else {
        panic!("{}", call.stderr)
    };
    let aside = format!("{}.damaged", path.display());
    assert!(
        line.contains(&aside) && line.contains(&format!("path={} ", path.display())),
        "{line}"
    );
    assert_eq!(std::fs::read(&aside).unwrap(), b"no database at all");
    assert_eq!(tier(&desk.json("cache status"), "sqlite")["healthy"], true);
    assert!(!desk.call("cache status").stderr.contains("set_aside"));
}

/// Accounts that share a folder see and clear their own entries, also offline.
#[test]
fn an_account_sees_and_clears_its_own_entries() {
    let (one, two) = ("111111111111", "222222222222");
    let mut desk = Desk::new();
    for account in [one, two] {
        desk = desk.set("AWS_ACCOUNT_ID", account);
        desk.text("refresh");
    }
    let has_catalog = |desk: &Desk, offline: &str| {
        let recent = desk.json(&format!("cache status --recent 1000 {offline}"))["recent"].clone();
        let mut recent = recent.as_array().unwrap().iter();
        recent.any(|entry| entry["key"] == "catalog:get:all")
    };
    for account in [one, two] {
        desk = desk.set("AWS_ACCOUNT_ID", account);
        assert!(
            has_catalog(&desk, "") && has_catalog(&desk, "--offline"),
            "{account}"
        );
        assert_eq!(desk.json("status --offline")["source"], "cache");
    }
    assert!(desk.json("cache clear")["removed"].as_u64().unwrap() > 0);
    assert!(!has_catalog(&desk, "") && !has_catalog(&desk, "--offline"));
    assert_eq!(desk.json("status --offline")["source"], "bundle");
    // The other account keeps its own.
    let desk = desk.set("AWS_ACCOUNT_ID", one);
    assert!(has_catalog(&desk, ""));
    // Without an account, the entries are those of no account.
    let desk = desk.set("AWS_ACCOUNT_ID", "");
    assert!(!has_catalog(&desk, "") && !has_catalog(&desk, "--offline"));
    assert_eq!(desk.json("status --offline")["source"], "bundle");
}

/// Offline the account comes from the profile, as its credentials name it online.
#[test]
fn offline_the_profile_names_the_account() {
    let desk = Desk::new().set("AWS_PROFILE", "ours");
    let aws = desk.home.path().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    let keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret";
    let profile = |name: &str, account: &str| {
        format!("[profile {name}]\n{keys}\naws_account_id = {account}\n")
    };
    let config = profile("ours", "111111111111") + &profile("theirs", "222222222222");
    std::fs::write(aws.join("config"), config).unwrap();
    let source = |line: &str, profile: &str| {
        let mut command = desk.command_of(&[env!("CARGO_BIN_EXE_bedrock-catalog")], line);
        for keys in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env_remove(keys);
        }
        command.env("AWS_PROFILE", profile);
        let call = run(command);
        assert_eq!(call.code, 0, "{line}: {}", call.stderr);
        document(&call.stdout)["source"].clone()
    };
    assert_eq!(source("refresh --json", "ours"), "api");
    assert_eq!(source("status --offline --json", "ours"), "cache");
    assert_eq!(source("status --offline --json", "theirs"), "bundle");
}

/// What was asked was not done: no, and why.
#[test]
fn what_could_not_be_cleared_or_warmed_is_a_no() {
    let desk = Desk::new();
    let open = desk.home.path().join("open");
    std::fs::create_dir(&open).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&open, mode).unwrap();
    for verb in ["clear", "cleanup", "warm"] {
        let line = format!("cache {verb} --cache-dir {}", open.display());
        let call = desk.call(&format!("{line} --json"));
        assert_eq!(call.code, 1, "{verb}: {}", call.stderr);
        let told = document(&call.stdout)["error"]["message"].to_string();
        assert!(
            told.contains("0777") && told.contains("files"),
            "{verb}: {told}"
        );
        assert_eq!(desk.call(&line).stdout, "", "{verb}");
    }
    // The status is the answer, not a failure.
    let status = desk.json(&format!("cache status --cache-dir {}", open.display()));
    assert_eq!(tier(&status, "files")["healthy"], false);
    // Nothing to warm it with, and nothing to warm.
    let fresh = desk.home.path().join("fresh");
    let line = format!("cache warm --offline --cache-dir {}", fresh.display());
    let call = desk.call(&line);
    assert_eq!((call.code, &*call.stdout), (1, ""), "{}", call.stderr);
    assert!(call.stderr.contains("nothing to warm"), "{}", call.stderr);
    for mode in ["memory", "none"] {
        let desk = Desk::new().set("BEDROCK_CATALOG_CACHE", mode);
        let call = desk.call("cache warm");
        assert_eq!(
            (call.code, &*call.stdout),
            (1, ""),
            "{mode}: {}",
            call.stderr
        );
        assert!(call.stderr.contains("outlives"), "{mode}: {}", call.stderr);
    }
    // Nothing is there: that is done.
    assert_eq!(Desk::new().json("cache clear")["removed"], 0);
}

#[cfg(feature = "redis")]
#[test]
fn the_verbs_reach_the_fleet() {
    let Some(server) = bedrock_catalog_test_support::redis_server::RedisServer::start() else {
        return;
    };
    let in_fleet = |desk: Desk| desk.set("BEDROCK_CATALOG_REDIS_URL", server.url());
    let desk = in_fleet(Desk::new().with_sqlite());
    desk.text("refresh");
    let filled = desk.json("cache status --detailed --recent 50");
    let all = ["memory", "files", "sqlite", "redis"];
    assert_eq!(names(tiers(&filled, true)), all);
    let (disk, redis) = (
        tier_detailed(&filled, "files"),
        tier_detailed(&filled, "redis"),
    );
    assert_eq!(disk["entries"], redis["entries"]);
    assert_eq!(redis["healthy"], true);
    let recent = filled["recent"].as_array().unwrap();
    let written = |entry: &Value| entry["written_at"].as_str().unwrap().to_owned();
    assert!(recent.is_sorted_by(|a, b| written(a) >= written(b)));

    // A machine that has nothing of its own.
    let asked = desk.requests();
    let other = in_fleet(Desk::new()).set("AWS_ENDPOINT_URL", desk.bedrock.url());
    let warm = other.json("cache warm");
    assert_eq!(status_shape(&warm)["tier"], "redis");
    assert_eq!(desk.requests(), asked);
    let status = other.json("cache status");
    assert_eq!(
        tier(&status, "files")["entries"],
        tier(&status, "redis")["entries"]
    );
    let removed = other.json("cache clear --pattern discovery:*")["removed"].as_u64();
    assert_eq!(removed, Some(1));
    let entries = |answer: &Value| tier(answer, "redis")["entries"].as_u64().unwrap();
    let left = entries(&status) - removed.unwrap();
    assert_eq!(entries(&desk.json("cache status")), left);
    other.text("cache clear");
    assert_eq!(entries(&desk.json("cache status")), 0);
    // The first machine has its files.
    assert_eq!(desk.json("status --offline")["tier"], "files");
}
