// Preloaded into Node processes under test: SIGUSR2 collects garbage, so that memory is measured and not its debris.
process.on("SIGUSR2", () => {
  globalThis.gc?.();
  globalThis.gc?.();
});
