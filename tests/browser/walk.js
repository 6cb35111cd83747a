// A person at a browser: one scene in a real Chromium.
//
//   walk.js SCENE < PARAMETERS
//
// PARAMETERS is a JSON object; what came of the scene is printed as one. A page that breaks its own
// policy, is wider than the screen, or has a fault that a screen reader stumbles over (WCAG 2.2 AA,
// as far as axe can tell) ends the walk with an error.
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
  desktop: { viewport: { width: 1280, height: 800 } },
};

// Without a screen, and without calls home. Without a sandbox, which root cannot have, nor many a
// container: all pages here are the service's own, or made up below.
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

async function main(scene, asked) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: FLAGS });
  try {
    const context = await browser.newContext({
      ...SIZES[asked.size],
      colorScheme: asked.scheme,
      // With script the pages are looked over by axe, which their policy would not let in; without
      // it they are as people get them.
      javaScriptEnabled: asked.audit,
      bypassCSP: asked.audit,
    });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    await answer_for_the_client(page, asked.back);
    const complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error" && /Content.Security.Policy/i.test(message.text())) {
        complaints.push(message.text());
      }
    });
    const walk = new Walk(page, asked);
    const outcome = await SCENES[scene](walk, asked);
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
    return { ...outcome, seen: walk.seen };
  } finally {
    await browser.close();
  }
}

// Where the client sends on whoever comes back: another origin, as of a shop whose logins have a host of
// their own. Browsers hold such a redirect against the page whose form began it all.
const HOME = "https://home.example";

// The client's sites are not on this network: their pages are made up. Below the library, whose own way
// (`route`) does not see what a redirect leads to.
async function answer_for_the_client(page, back) {
  const session = await page.context().newCDPSession(page);
  session.on("Fetch.requestPaused", ({ requestId, request }) => {
    const is_home = request.url.startsWith(`${HOME}/`);
    const to = `${HOME}/?from=${encodeURIComponent(request.url)}`;
    const answer = is_home
      ? { responseCode: 200, responseHeaders: [{ name: "Content-Type", value: "text/html" }] }
      : { responseCode: 302, responseHeaders: [{ name: "Location", value: to }] };
    const body = Buffer.from("<!doctype html><title>Home</title>").toString("base64");
    session
      .send("Fetch.fulfillRequest", { requestId, ...answer, body: is_home ? body : "" })
      // The walk has seen enough, and the browser is being closed.
      .catch(() => {});
  });
  const sites = [new URL(back).origin, HOME];
  await session.send("Fetch.enable", { patterns: sites.map((it) => ({ urlPattern: `${it}/*` })) });
}

class Walk {
  constructor(page, asked) {
    this.page = page;
    this.asked = asked;
    this.seen = [];
  }

  // The page with that heading is there, and in order.
  async sees(heading, name) {
    const { page, asked } = this;
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    this.seen.push(heading);
    const wide = await page.locator("html").evaluate((html) => html.scrollWidth - html.clientWidth);
    if (wide > 0) throw new Error(`${heading}: ${wide} pixels wider than the screen`);
    if (asked.audit) {
      await page.evaluate(axe.source);
      const found = await page.evaluate(() =>
        window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
      );
      const faults = found.violations.map((it) => `${it.id}: ${it.help}: ${it.nodes[0].html}`);
      if (faults.length > 0) throw new Error(`${heading}: ${faults.join("\n")}`);
    }
    if (asked.pictures && name) {
      const file = `${name}-${asked.size}.png`;
      await page.screenshot({ path: join(asked.pictures, file) });
    }
  }

  async login(password) {
    const { page, asked } = this;
    await page.getByLabel("Name").fill(asked.name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
  }

  async press(name) {
    await this.page.getByRole("button", { name, exact: true }).click();
  }

  // Tokens say in whole seconds when a person logged in: the next time differs from the last.
  async next_second() {
    const second = () => Math.floor(Date.now() / 1000);
    for (const now = second(); second() === now; ) await this.page.waitForTimeout(20);
  }

  // After this step the browser comes to where the client wanted it.
  async leads_back(step) {
    const { page, asked } = this;
    await step();
    await page.waitForURL((url) => url.origin === HOME);
    const came = new URL(page.url()).searchParams.get("from");
    if (!came.startsWith(asked.back)) throw new Error(`came back to ${came}`);
    return came;
  }
}

const SCENES = {
  // A slip, then the right password; one scope is withheld.
  async login(walk, asked) {
    await walk.page.goto(asked.url);
    await walk.sees("Log in", "login");
    await walk.login("not the password of anybody");
    await walk.page.getByRole("alert").waitFor();
    await walk.sees("Log in", "login-again");
    await walk.login(asked.password);
    await walk.sees("Allow access?", "consent");
    await walk.page.getByText(asked.words).waitFor();
    // The box is called by the words and by the scope.
    await walk.page.getByLabel(asked.words).uncheck();
    if (await walk.page.getByLabel(asked.withheld).isChecked()) throw new Error("another box");
    await walk.page.getByLabel("Do not ask again for this").check();
    return { at: await walk.leads_back(() => walk.press("Allow")) };
  },

  // No mouse: the focus is where one begins, and the order is that of the page.
  async keyboard(walk, asked) {
    const { page } = walk;
    await page.goto(asked.url);
    await walk.sees("Log in");
    await page.keyboard.type(asked.name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(asked.password);
    await page.keyboard.press("Enter");
    await walk.sees("Allow access?");
    const allow = page.getByRole("button", { name: "Allow", exact: true });
    for (let tabs = 0; tabs < 12; tabs += 1) {
      await page.keyboard.press("Tab");
      if (await allow.evaluate((button) => button === document.activeElement)) {
        return { at: await walk.leads_back(() => page.keyboard.press("Enter")), tabs };
      }
    }
    throw new Error("the button cannot be reached with Tab");
  },

  async denial(walk, asked) {
    await walk.page.goto(asked.url);
    await walk.sees("Log in");
    await walk.login(asked.password);
    await walk.sees("Allow access?");
    return { at: await walk.leads_back(() => walk.press("Deny")) };
  },

  // Logged in for one request, the person has to give the password again for the next.
  async step_up(walk, asked) {
    await walk.page.goto(asked.url);
    await walk.login(asked.password);
    await walk.sees("Allow access?");
    const first = await walk.leads_back(() => walk.press("Allow"));
    await walk.next_second();
    await walk.page.goto(asked.again);
    await walk.sees("Confirm that it is you", "step-up");
    await walk.login(asked.password);
    await walk.sees("Allow access?");
    return { at: await walk.leads_back(() => walk.press("Allow")), first };
  },

  // A wrong code, then that of the device.
  async device(walk, asked) {
    await walk.page.goto(asked.url);
    await walk.sees("Connect a device", "device");
    await walk.page.getByLabel("Code").fill("BBBB-BBBB");
    await walk.press("Continue");
    await walk.page.getByRole("alert").waitFor();
    await walk.page.getByLabel("Code").fill(asked.code.toLowerCase());
    await walk.press("Continue");
    await walk.sees("Log in");
    await walk.login(asked.password);
    await walk.sees("Allow access?", "device-consent");
    await walk.page.getByText(asked.code).waitFor();
    await walk.press("Allow");
    await walk.sees("The device may go on", "device-done");
    return {};
  },

  // Nobody to be sent back to: told on a page.
  async error_page(walk, asked) {
    const response = await walk.page.goto(asked.url);
    await walk.sees(asked.heading, "error");
    return { at: walk.page.url(), status: response.status() };
  },

  // What was remembered is not asked for again, can be taken back, and is asked for then.
  async account(walk, asked) {
    await walk.page.goto(asked.url);
    await walk.login(asked.password);
    await walk.sees("Allow access?");
    await walk.page.getByLabel("Do not ask again for this").check();
    await walk.leads_back(() => walk.press("Allow"));
    const remembered = await walk.leads_back(() => walk.page.goto(asked.again));
    await walk.page.goto(asked.account);
    await walk.sees("Your account", "account");
    await walk.page.getByRole("button", { name: "Ask me again" }).click();
    await walk.page.getByText("Nothing: you are asked every time.").waitFor();
    await walk.sees("Your account");
    await walk.page.goto(asked.once_more);
    await walk.sees("Allow access?");
    await walk.page.goto(asked.account);
    await walk.page.getByRole("button", { name: "Log out", exact: true }).click();
    await walk.sees("You are logged out", "logged-out");
    return { at: remembered };
  },
};

main(process.argv[2], JSON.parse(readFileSync(0, "utf8"))).then(
  (outcome) => console.log(JSON.stringify(outcome)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
