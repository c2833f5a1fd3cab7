//! A server that speaks no Redis, or promises more than fits into memory. In a process of its own, whose
//! memory can be measured.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use bedrock_catalog_cache::tier::redis::{RedisOptions, RedisTier};
use bedrock_catalog_cache::{Clock, Pattern, Tier, TierErrorKind};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::is_installed;

use crate::stage::*;
use bedrock_catalog_test_support::children;

/// Answers whatever it is asked with these bytes, and then with zeros for as long as they are read.
fn serve(answer: Vec<u8>, endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, answer) = (client.unwrap(), answer.clone());
            std::thread::spawn(move || {
                let _ = client.read(&mut [0; 64 << 10]);
                let mut sent = client.write_all(&answer).is_ok();
                while endless && sent {
                    sent = client.write_all(&[0; 64 << 10]).is_ok();
                }
                // Open until the other side goes.
                while client.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
            });
        }
    });
    url
}

/// A server whose scans never end, and by whose clock each page takes a second.
fn serve_endless_scans(clock: &bedrock_catalog_cache::ManualClock) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let clock = clock.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, clock) = (client.unwrap(), clock.clone());
            std::thread::spawn(move || {
                let mut asked = [0; 64 << 10];
                while let Ok(read @ 1..) = client.read(&mut asked) {
                    let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                    let answer = if asked.contains("SCAN") {
                        clock.advance(Duration::from_secs(1));
                        "*2\r\n$1\r\n7\r\n*0\r\n".to_owned()
                    } else {
                        // One for each command.
                        let commands = asked.split("\r\n").filter(|line| line.starts_with('*'));
                        "+OK\r\n".repeat(commands.count())
                    };
                    client.write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    url
}

#[test]
fn a_scan_without_an_end_ends() {
    let clock = clock();
    let tier = tier(&serve_endless_scans(&clock), &clock);
    let pages = |work: &dyn Fn() -> Option<TierErrorKind>| {
        let start = clock.now();
        assert_eq!(work(), Some(TierErrorKind::TooLarge));
        clock.now().duration_since(start).unwrap().as_secs()
    };
    let all = Pattern::under(["things"]);
    let removing = pages(&|| tier.invalidate(&ns(), &all).err().map(|e| e.kind()));
    assert_eq!(removing, 2);
    assert_eq!(pages(&|| tier.size().err().map(|e| e.kind())), 10);
    assert_eq!(
        pages(&|| tier.cleanup(clock.now()).err().map(|e| e.kind())),
        10
    );
}

/// The most memory this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

#[test]
fn child() {
    if children::job().is_none() {
        return;
    }
    let clock = clock();
    // Of one answer: the servers' threads are in this process too, and each leaves a little behind.
    let worst = std::cell::Cell::new(0);
    let ask = |answer: &[u8], endless| {
        let before = peak();
        let options = RedisOptions::from_url(&serve(answer.to_vec(), endless)).unwrap();
        // Who says little and waits is waited for; who sends for ever has the usual time for it.
        let patience = Duration::from_millis(if endless { 250 } else { 50 });
        let options = options.timeout(patience).unwrap();
        let tier = RedisTier::new(options, codec()).with_clock(clock.clone());
        let error = tier.get(&ns(), &key(1)).unwrap_err();
        assert!(error.is_tier_failure(), "{error}");
        assert!(tier.put(&entry(&key(1), "v", &clock)).is_err());
        assert!(!tier.health().ok);
        worst.set(worst.get().max(peak() - before));
        error.kind()
    };
    // All that is needed once.
    ask(b"-ERR not now\r\n", false);
    worst.set(0);
    for answer in [
        b"$1073741824\r\n".as_slice(),
        b"*2\r\n$1073741824\r\n",
        b"*1000000000\r\n",
        b"*60000\r\n$8000000\r\n",
        b"+",
        b"$18446744073709551615\r\n",
    ] {
        let kind = ask(answer, true);
        let at_most = String::from_utf8_lossy(answer).into_owned();
        assert!(
            matches!(kind, TierErrorKind::Protocol | TierErrorKind::Timeout),
            "{at_most:?}: {kind:?}"
        );
    }
    assert_eq!(ask(b"$1073741824\r\n", true), TierErrorKind::Protocol);
    for garbage in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(),
        b"\0\0\0\0",
        b"*1\r\n*1\r\n*1\r\n",
        b"+OK\r\n",
        b":1\r\n:2\r\n:3\r\n",
        b"$3\r\nabcdefgh\r\n",
        b"%1\r\n+a\r\n",
        b">2\r\n+message\r\n+x\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-\x1b[31mERR evil\r\n",
        b"-NOSCRIPT no\r\n-NOSCRIPT no\r\n",
    ] {
        ask(garbage, false);
    }
    ask(&[b'*'; 100_000], false);
    ask("*1\r\n".repeat(100_000).as_bytes(), false);
    println!("grew={}", worst.get());
}

/// The promise of 1 GiB, and all kinds of garbage: at most 16 MiB, no panic.
#[test]
fn garbage_and_a_gibibyte_take_no_memory() {
    if !cfg!(target_os = "linux") {
        bedrock_catalog_test_support::skip(
            "garbage_and_a_gibibyte_take_no_memory",
            "no /proc here",
        );
        return;
    }
    let grew: u64 = children::said(children::start("lying::child", "all"), "grew")
        .parse()
        .unwrap();
    let told = format_args!("grew by {} KiB", grew >> 10);
    count("redis, garbage and a value of 1 GiB", told);
    assert!(grew <= 16 << 20, "{grew} bytes");
}

/// A real one of 100 MB, which is asked for its length first.
#[test]
fn a_large_value_of_a_real_server_is_not_loaded() {
    if !is_installed() || !cfg!(target_os = "linux") {
        return;
    }
    let Some(server) = server() else { return };
    server.tell(&["SETRANGE", &name(&key(1)), "100000000", "x"]);
    let child = children::start("lying::large_child", &server.url());
    let grew: u64 = children::said(child, "grew").parse().unwrap();
    assert!(grew <= 4 << 20, "{grew} bytes");
}

#[test]
fn large_child() {
    let Some(url) = children::job() else { return };
    let tier = tier(&url, &clock());
    assert!(tier.get(&ns(), &key(2)).unwrap().is_none());
    let before = peak();
    for _ in 0..5 {
        let error = tier.get(&ns(), &key(1)).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::TooLarge);
    }
    println!("grew={}", peak() - before);
}
