//! A server that forks its workers, as some do: the catalog is built before the fork and first loaded after
//! it, in each worker and in the parent. A tests' program: `fork-then-load URL FOLDER WORKERS`.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use bedrock_catalog::LiveCatalog;
    use bedrock_catalog_tests::fake_bedrock::sdk_config;
    use fork::{Fork, fork, waitpid};

    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder, workers] = args.as_slice() else {
        return Err("fork-then-load URL FOLDER WORKERS".into());
    };
    let live = LiveCatalog::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(url)
        .regions(["eu-west-1", "us-east-1"])
        .cache_dirs([folder])
        .build()?;
    // A fork takes one thread along: what another one held would stay held.
    #[cfg(target_os = "linux")]
    println!("threads {}", std::fs::read_dir("/proc/self/task")?.count());
    let bundled = live.snapshot();
    let load = |who: &str| -> Result<(), Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let snapshot = runtime.block_on(live.load())?;
        println!("{who} {} {}", snapshot.source(), live.is_degraded());
        Ok(())
    };
    let mut children = Vec::new();
    for _ in 0..workers.parse::<usize>()? {
        match fork()? {
            Fork::Child => return load("worker"),
            Fork::Parent(child) => children.push(child),
        }
    }
    for child in children {
        let status = waitpid(child)?;
        if status != 0 {
            return Err(format!("a worker ended with {status}").into());
        }
    }
    // The parent has seen nothing of this.
    assert_eq!(live.snapshot().source(), bundled.source());
    load("parent")
}

#[cfg(not(unix))]
fn main() {}
