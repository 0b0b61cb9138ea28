// The document on stdin, held to the schema that the AsyncAPI initiative publishes. Prints what is wrong with it.
const { readFileSync } = require("node:fs");
const Ajv = require("ajv").default;
const formats = require("ajv-formats").default;

const schema = JSON.parse(readFileSync(require.resolve("@asyncapi/specs/schemas/3.0.0-without-$id.json")));
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
formats(ajv);
const valid = ajv.compile(schema);
if (!valid(JSON.parse(readFileSync(0)))) {
  for (const error of valid.errors) console.log(`${error.instancePath} ${error.message}`);
}
