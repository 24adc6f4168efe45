//! Reloading of the configuration.
//!
//! The file is read and checked, and the networks are built, on another thread. The controller gets
//! the result. Until then, and if there is any problem, nothing changes.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, bail};
use dhcp_config::{Config, Server};
use dhcp_engine::{Networks, Preview};
use tokio::sync::{mpsc, oneshot};

use super::{controller::Change, links, serving::Serving};
use crate::control::server::Reload;

/// The task that executes reloads, one after the other.
pub struct Reloader {
    pub path: PathBuf,
    pub serving: Arc<Serving>,
    pub changes: mpsc::Sender<Change>,
}

impl Reloader {
    /// Executes reloads until the channel is closed.
    pub async fn serve(self, mut reloads: mpsc::Receiver<Reload>) {
        while let Some(Reload { is_preview, answer }) = reloads.recv().await {
            let result = self.reload(is_preview).await;
            match &result {
                Ok(_) if is_preview => {}
                Ok(preview) => tracing::info!(
                    config = %self.path.display(),
                    kept = preview.kept,
                    moved = preview.moved.count,
                    ended = preview.ended.count,
                    untouched = preview.untouched,
                    "reloaded"
                ),
                Err(error) => tracing::error!(
                    "not reloaded; the previous configuration remains in effect: {error:#}"
                ),
            }
            // The receiver may be gone.
            let _ = answer.send(result.map_err(|error| format!("{error:#}")));
        }
    }

    async fn reload(&self, is_preview: bool) -> anyhow::Result<Preview> {
        let (answer, answered) = oneshot::channel();
        let (path, serving) = (self.path.clone(), Arc::clone(&self.serving));
        let prepare = move || prepare(&path, &serving, is_preview, answer);
        let change = tokio::task::spawn_blocking(prepare).await??;
        self.changes
            .send(change)
            .await
            .ok()
            .context("the server is stopping")?;
        answered.await.context("the server is stopping")?
    }
}

fn prepare(
    path: &std::path::Path,
    serving: &Serving,
    is_preview: bool,
    answer: oneshot::Sender<anyhow::Result<Preview>>,
) -> anyhow::Result<Change> {
    let host = crate::host::probe().context("reading the interfaces of this host")?;
    let config = Config::load_on(path, &host)?;
    refuse_fixed(&serving.config().server, &config.server)?;
    let interfaces = links::interfaces(&config, &serving.slow_bases())?;
    let table = links::table(&interfaces);
    let relays = dhcp_engine::relays(&config, &table);
    Ok(Change {
        networks: Networks::new(&config, table),
        config: Arc::new(config),
        interfaces,
        relays,
        is_preview,
        answer,
    })
}

/// Refuses changes of settings that are fixed while the server is running.
fn refuse_fixed(running: &Server, wanted: &Server) -> anyhow::Result<()> {
    let fixed = |server: &Server| {
        [
            ("store", server.store.display().to_string()),
            (
                "control-socket",
                server.control_socket.display().to_string(),
            ),
            ("pin-dir", server.pin_dir.display().to_string()),
            ("max-leases", server.max_leases.to_string()),
            (
                "history",
                humantime::format_duration(server.history).to_string(),
            ),
        ]
    };
    for ((field, running), (_, wanted)) in fixed(running).into_iter().zip(fixed(wanted)) {
        if running != wanted {
            bail!(
                "server.{field} = {wanted}: cannot change while the server is running with {running}; restart the server, or restore the value"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use dhcp_config::file;

    fn server(lines: &str) -> Server {
        let text = format!(
            "[server]\n{lines}\n[[interface]]\nname = 'e'\n[[subnet]]\nprefix = '10.0.0.0/24'\n"
        );
        let config = file::parse(Path::new("x.toml"), &text, None);
        config.expect("a good file").server
    }

    #[test]
    fn what_cannot_change_is_refused_by_name() {
        let running = server("max-leases = 100");
        for (lines, expected) in [
            (
                "max-leases = 200",
                "server.max-leases = 200: cannot change while the server is running with 100; restart the server, or restore the value",
            ),
            (
                "max-leases = 100\npin-dir = '/sys/fs/bpf/other'",
                "server.pin-dir = /sys/fs/bpf/other: cannot change while the server is running with /sys/fs/bpf/xdhcpd; restart the server, or restore the value",
            ),
        ] {
            let refused = refuse_fixed(&running, &server(lines)).expect_err(lines);
            assert_eq!(refused.to_string(), expected);
        }
        let changeable = server("max-leases = 100\nfast-path = false");
        refuse_fixed(&running, &changeable).expect("that may change");
    }
}
