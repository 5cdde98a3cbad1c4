// A policy model as a server that every OpenAI client can ask; the model name with ":refined" after it answers by refinement.
// dotnet run -c Release --project samples/OpenAICompatibleServer
// curl http://127.0.0.1:8080/v1/chat/completions -d '{"model": "quickstart:refined", "messages": [{"role": "user", "content": "Ivy has 57 coins, sells 9, drops 2, loses 6 and drops 9. How many?"}]}'
using System.CommandLine;
using System.Net;
using Aries;
using Aries.Managed;
using OpenAICompatibleServer;
using QuickStart;

ServerOptions defaults = new();
Option<string?> model = new("--model") { Description = "A Hugging Face model folder, or a llama2.c .bin file. The default is QuickStart's model." };
Option<string?> adapter = new("--adapter") { Description = "A LoRA adapter's folder, in PEFT layout." };
Option<string?> name = new("--name") { Description = "The name that clients ask for. The default is the folder's." };
Option<int> port = new("--port") { Description = "The port; 0 takes a free one.", DefaultValueFactory = _ => defaults.Port };
Option<string> address = new("--address") { Description = "The address to listen on; anything but this machine needs --api-key.", DefaultValueFactory = _ => defaults.Address.ToString() };
Option<string?> apiKey = new("--api-key") { Description = "The key that clients must send. The default is none; ARIES_API_KEY is read, too." };
Option<int> turns = new("--turns") { Description = "The answers of a refined request: the direct one and its rewrites.", DefaultValueFactory = _ => defaults.TurnCount };
Option<string?> template = new("--template") { Description = "The text that asks for a rewrite, with {question} and {response}. The default is the library's; QuickStart's model has its own." };
Option<int> maxBatch = new("--max-batch") { Description = "The most whole answers that are computed together; 1 computes one after the other. Streams are computed alone.", DefaultValueFactory = _ => 32 };
Option<int> maxConcurrency = new("--max-concurrency") { Description = "The most requests that are answered at once.", DefaultValueFactory = _ => defaults.MaxConcurrency };
Option<int> maxQueue = new("--max-queue") { Description = "The most requests that wait; more get 429.", DefaultValueFactory = _ => defaults.MaxQueueLength };
Option<long> maxBytes = new("--max-request-bytes") { Description = "The largest request.", DefaultValueFactory = _ => defaults.MaxRequestBytes };
Option<double> grace = new("--shutdown-grace") { Description = "How many seconds running answers may go on when the server stops.", DefaultValueFactory = _ => defaults.ShutdownGrace.TotalSeconds };

RootCommand command = new("Serves a model on /v1/chat/completions and /v1/models, as OpenAI's clients ask for it.")
{
    model, adapter, name, port, address, apiKey, turns, template, maxBatch, maxConcurrency, maxQueue, maxBytes, grace,
};
command.SetAction(RunAsync);

// Signals are the host's business: it lets running answers end.
return await command.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });

async Task<int> RunAsync(ParseResult given, CancellationToken cancellationToken)
{
    string? key = given.GetValue(apiKey) ?? Environment.GetEnvironmentVariable("ARIES_API_KEY");
    if (!IPAddress.TryParse(given.GetValue(address), out IPAddress? listenOn) || (!IPAddress.IsLoopback(listenOn) && string.IsNullOrEmpty(key)))
    {
        return Fail($"--address {given.GetValue(address)}: give an IP address, and an --api-key where others can reach it.");
    }

    try
    {
        string folder = given.GetValue(model) ?? Path.Combine(AppContext.BaseDirectory, "model");
        using IPolicyModel policy = new BatchingPolicyModel(
            await ManagedPolicyModel.LoadAsync(folder, new ManagedPolicyOptions { AdapterPath = given.GetValue(adapter) }, cancellationToken),
            new BatchingPolicyOptions { MaxBatchSize = given.GetValue(maxBatch) },
            ownsPolicy: true);
        ServerOptions options = new()
        {
            Address = listenOn,
            Port = given.GetValue(port),
            ApiKey = string.IsNullOrEmpty(key) ? null : key,
            ModelName = given.GetValue(name) ?? (given.GetValue(model) is null ? "quickstart" : null),
            TurnCount = given.GetValue(turns),
            Template = given.GetValue(template) is { } text ? new RefinementTemplate(text)
                : given.GetValue(model) is null ? WordProblemScorer.Template
                : RefinementTemplate.Default,
            MaxConcurrency = given.GetValue(maxConcurrency),
            MaxQueueLength = given.GetValue(maxQueue),
            MaxRequestBytes = given.GetValue(maxBytes),
            ShutdownGrace = TimeSpan.FromSeconds(given.GetValue(grace)),
        };
        await using WebApplication app = ServerApplication.Create(policy, options);
        await app.StartAsync(cancellationToken);
        ServedModels models = app.Services.GetRequiredService<ServedModels>();
        Console.WriteLine($"Serving {string.Join(" and ", models.Names)} on {app.Urls.Single()}/v1. Ctrl+C stops.");
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }
    catch (Exception exception) when (exception is AriesException or ArgumentException or IOException)
    {
        return Fail(exception.Message);
    }
}

static int Fail(string message)
{
    Console.Error.WriteLine(message.ReplaceLineEndings(" "));
    return 1;
}
