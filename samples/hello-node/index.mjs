/** Greets whoever the event names. */
export const handler = async (event, context) => {
  const name = event.name ?? "world";
  console.log("greeting", name);
  return {
    greeting: `${process.env.GREETING ?? "Hello"}, ${name}!`,
    function: context.functionName,
    memoryMb: Number(context.memoryLimitInMB),
    remainingMs: context.getRemainingTimeInMillis(),
  };
};
