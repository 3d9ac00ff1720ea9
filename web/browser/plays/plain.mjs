// Without JavaScript a form sends files.
import { dir, play, url } from "./stage.mjs";

await play(async (_, context) => {
  const bare = await context.browser().newContext({ javaScriptEnabled: false });
  const page = await bare.newPage();
  await page.goto(url);
  await page.getByLabel("Choose files").setInputFiles([`${dir}/a.txt`, `${dir}/b.txt`]);
  await page.getByRole("button", { name: "Upload" }).click();
  await page.getByRole("heading", { name: "Received" }).waitFor();

  // A browser that lacks something gets the form too, and is told why.
  const old = await context.browser().newContext();
  await old.addInitScript(() => delete window.AbortController);
  const lacking = await old.newPage();
  await lacking.goto(url);
  await lacking.getByText("This browser lacks AbortController").waitFor();
  await lacking.getByRole("button", { name: "Upload" }).waitFor();
});
