// Decides the requests of a folder of policies with @cloud-copilot/iam-simulate, another implementation of AWS's rules, and
// prints what it says: one object a request.
//
// Usage: node policies.cjs FOLDER

const fs = require('node:fs')
const path = require('node:path')
const { anonymousPrincipal, runSimulation } = require('@cloud-copilot/iam-simulate')

const OUTCOMES = { Allowed: 'allowed', ExplicitlyDenied: 'explicit', ImplicitlyDenied: 'implicit' }

/** What the simulator is asked for one request of a case. */
function simulation(policies, request) {
  const named = (documents) => documents.map((policy, at) => ({ name: `policy ${at}`, policy }))
  const owner = request.owner ?? request.principal.split(':')[4]
  const asked = {
    action: request.action,
    principal: request.principal === 'anonymous' ? anonymousPrincipal : request.principal,
    resource: { resource: request.resource, accountId: owner },
    contextVariables: request.context ?? {}
  }
  return {
    request: asked,
    identityPolicies: named(policies.identity),
    permissionBoundaryPolicies: policies.boundary && named([policies.boundary]),
    sessionPolicy: policies.session,
    resourcePolicy: policies.resource,
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }
}

/** `allowed`, `explicit` or `implicit`; else what the simulator complains about. */
async function outcome(policies, request) {
  const answer = await runSimulation(simulation(policies, request), {})
  if (answer.resultType === 'error') {
    return { outcome: 'error', errors: answer.errors }
  }
  const results = answer.resultType === 'single' ? [answer.result] : answer.results
  const ignored = results.flatMap((result) => result.ignoredContextKeys ?? [])
  return { outcome: OUTCOMES[answer.overallResult], ignored }
}

async function main(folder) {
  const decided = []
  for (const name of fs.readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
    const policies = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'))
    for (const request of policies.requests) {
      decided.push({ file: name, about: request.about, ...(await outcome(policies, request)) })
    }
  }
  console.log(JSON.stringify(decided))
}

main(process.argv[2])
