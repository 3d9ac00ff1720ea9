// Proxies and networks say all kinds of things in the middle of an upload. The
// page says what happened and what to do, keeps what was sent, and goes on by
// itself where it can.
import assert from "node:assert/strict";
import { ask, choose, content, deaf, dir, done, play, reaches, shot, state } from "./stage.mjs";

// What is answered, what the page says then, and what the person has to do.
const troubles = [
  ["503 1", /^Tries again in \d+ sec\. The server is busy \(503\)\.$/],
  ["507", /^Tries again in \d+ sec\. The server has no space left\. What was sent is safe\.$/],
  ["portal", /^Tries again in \d+ sec\. Something other than the server answered\. Does this network want you to sign in\?$/],
  ["nothing", /^Tries again in \d+ sec\. The server does not answer\. Check the connection\.$/],
  ["403", /^You may not upload this here\. Tell whoever runs the server\.$/, "Try again trouble.bin"],
  ["429 3", /^Tries again in \d+ sec\. The server wants a pause \(429\)\.$/],
];

await play(async (page) => {
  await deaf(page);
  const button = (name) => page.getByRole("button", { name });
  // Each step lets more pass than four requests can hold, so that one ends and the next is answered.
  const [size, step] = [260e6, 26e6];
  let there = 8e6;
  await choose(page, `${dir}/trouble.bin`);
  for (const [answer, says, click] of troubles) {
    await reaches(page, Math.floor((there / size) * 100) - 1);
    await ask("still");
    await ask("answer", answer);
    await ask("let", String((there += step)));
    await state(page, "trouble.bin", says);
    if (/403|portal|429/.test(answer)) await shot(page, `answer-${answer.split(" ")[0]}`);
    assert.ok(Number(await ask("answered")) > 0);
    if (click) await button(click).click();
  }
  // A long pause is counted down before one's eyes, and need not be waited for.
  await reaches(page, Math.floor((there / size) * 100) - 1);
  await ask("still");
  await ask("answer", "429 300");
  await ask("let", String((there += step)));
  await state(page, "trouble.bin", /^Tries again in 5 min\./);
  await button("Try now trouble.bin").waitFor();
  assert.ok(Number(await ask("answered")) > 0);
  await button("Try now trouble.bin").click();

  // A proxy that takes no more than 2 MB at once gets pieces of that size, and nobody is bothered.
  await reaches(page, Math.floor((there / size) * 100) - 1);
  await ask("still");
  await ask("answer", "413 2000000");
  await ask("let", "all");
  await done(page);
  assert.ok(Number(await ask("answered")) > 0);
  content(page);
});
