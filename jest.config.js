// `projects` cut the run by what a test needs: nothing, loopback sockets, real servers beside it, or a node.
const common = {
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/test/support/strip-types.js" },
  testEnvironment: "node",
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/test/controlplane/"],
};

export default {
  projects: [
    {
      ...common,
      displayName: "unit",
      testMatch: [
        "<rootDir>/{crds,kube,policy,operator,gateway,cli,examples,test/support,test/golden,test/contract}/**/*.test.ts",
      ],
    },
    { ...common, displayName: "feature", testMatch: ["<rootDir>/test/feature/**/*.test.ts"] },
    { ...common, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    { ...common, displayName: "e2e", testMatch: ["<rootDir>/test/e2e/**/*.test.ts"] },
  ],
  reporters: ["default", "<rootDir>/test/support/summary-reporter.js"],
  testTimeout: 20_000,
};
