import { expect, it } from "@jest/globals";
import { createRedisBus } from "../../../gateway/bus/bus-redis.ts";
import { eventually } from "../../support/eventually.ts";
import { listen, startHubGateway } from "../../support/hub-gateway.ts";
import { startRedis } from "../../support/redis.ts";
import { createRig } from "../../support/rig.ts";

const rig = createRig();

it("starts, is ready and serves local groups without Redis, and joins the others when Redis comes", async () => {
  const redis = rig.use(await startRedis(), (server) => server.stop());
  await redis.kill();
  const problems: string[] = [];
  const bus = rig.use(createRedisBus({ url: redis.url, onProblem: (problem) => problems.push(problem) }), (part) =>
    part.close(),
  );
  const gateway = await startHubGateway(rig, { bus });
  const client = await listen(rig, gateway.url());
  expect(gateway.gateway.readiness.ready).toBe(true);
  expect(await gateway.metric("holdfast_bus_up")).toBe(0);

  const refused = await gateway.call("live/groups/news/:send", { body: "local" });
  expect(refused.status).toBe(503);
  expect(await client.until(1)).toEqual(["local"]);
  await eventually("both links have said why", () => problems.length === 2);
  expect(problems.join()).toContain("ECONNREFUSED");

  await redis.start();
  await eventually("the bus is up", () => bus.up);
  const other = createRedisBus({ url: redis.url });
  rig.use(other, (part) => part.close());
  const second = await startHubGateway(rig, { bus: other });
  await eventually("the other bus is up", () => other.up);
  await second.send("news", "from afar");
  expect(await client.until(2)).toEqual(["local", "from afar"]);
  expect(await gateway.metric("holdfast_bus_up")).toBe(1);
});
