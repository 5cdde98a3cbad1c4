// A chat in the terminal that shows every draft of an answer as it is written.
// dotnet run -c Release --project samples/ChatRefinement
// dotnet run -c Release --project samples/ChatRefinement -- --endpoint http://127.0.0.1:8080/v1 --model quickstart
using System.ClientModel;
using System.CommandLine;
using Aries;
using Aries.Extensions.AI;
using Aries.Managed;
using ChatRefinement;
using Microsoft.Extensions.AI;
using OpenAI;
using QuickStart;
using Spectre.Console;

Option<string?> model = new("--model") { Description = "A Hugging Face model folder; with --endpoint the name of a model there. The default is QuickStart's model, which solves word problems." };
Option<string?> endpoint = new("--endpoint") { Description = "The address of an OpenAI-compatible service, such as http://127.0.0.1:8080/v1; needs --model." };
Option<string?> apiKey = new("--api-key") { Description = "The service's key. The default is what OPENAI_API_KEY holds." };
Option<int> turns = new("--turns") { Description = "The answers of a chain: the direct one and its rewrites.", DefaultValueFactory = _ => 3 };
Option<string?> template = new("--template") { Description = "The text that asks for a rewrite, with {question} and {response}. The default is the library's; QuickStart's model has its own." };
Option<float> temperature = new("--temperature") { Description = "Divides the logits; 0 is greedy.", DefaultValueFactory = _ => 0.7f };
Option<int> maxTokens = new("--max-tokens") { Description = "The longest draft, in tokens.", DefaultValueFactory = _ => 256 };
Option<int?> seed = new("--seed") { Description = "The seed of the draws. The default is a new one each time." };

RootCommand command = new("Chats, and refines each answer before your eyes. An empty line ends it; questions may also be piped in, a line each.")
{
    model, endpoint, apiKey, turns, template, temperature, maxTokens, seed,
};
command.SetAction(RunAsync);
return await command.Parse(args).InvokeAsync();

async Task<int> RunAsync(ParseResult given, CancellationToken cancellationToken)
{
    try
    {
        bool isQuickStart = given.GetValue(model) is null;
        using IPolicyModel policy = given.GetValue(endpoint) is { } address
            ? new ChatClientPolicyModel(CreateClient(address, given), ownsClient: true)
            : await ManagedPolicyModel.LoadAsync(given.GetValue(model) ?? Path.Combine(AppContext.BaseDirectory, "model"), cancellationToken: cancellationToken);
        RefinementTemplate z = given.GetValue(template) is { } text ? new RefinementTemplate(text)
            : isQuickStart ? WordProblemScorer.Template
            : RefinementTemplate.Default;
        SelfRefiner refiner = new(policy, new AriesRefinement(given.GetValue(turns), z), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { Temperature = given.GetValue(temperature), MaxTokens = given.GetValue(maxTokens), Seed = given.GetValue(seed) },
        });

        bool isTerminal = !Console.IsInputRedirected && AnsiConsole.Profile.Capabilities.Interactive;
        if (isTerminal)
        {
            AnsiConsole.MarkupLine(isQuickStart ? "Ask as in [green]Ivy has 57 coins, sells 9, drops 2, loses 6 and drops 9. How many?[/]" : "Ask something.");
        }

        List<PromptTurn> history = [];
        while (ReadQuestion(isTerminal) is { Length: > 0 } question)
        {
            RefinementResult result = await AnswerAsync(refiner, new Prompt([.. history, new PromptTurn(PromptRole.User, question)]), isTerminal, cancellationToken);
            if (result.Error is { } error)
            {
                await Console.Error.WriteLineAsync(error.Message.ReplaceLineEndings(" "));
            }

            // QuickStart's small model knows one problem at a time.
            if (result.Answer is { } answer && !isQuickStart)
            {
                history.AddRange([new PromptTurn(PromptRole.User, question), new PromptTurn(PromptRole.Assistant, answer)]);
            }
            else if (result.Answer is null && !isTerminal)
            {
                return 1;
            }
        }

        return 0;
    }
    catch (Exception exception) when (exception is AriesException or ArgumentException or NotSupportedException)
    {
        await Console.Error.WriteLineAsync(exception.Message.ReplaceLineEndings(" "));
        return 1;
    }
}

IChatClient CreateClient(string address, ParseResult given) => new OpenAIClient(
        new ApiKeyCredential(given.GetValue(apiKey) ?? Environment.GetEnvironmentVariable("OPENAI_API_KEY") ?? "none"),
        new OpenAIClientOptions { Endpoint = Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) ? uri : throw new ArgumentException($"--endpoint {address} is no address.") })
    .GetChatClient(given.GetValue(model) ?? throw new ArgumentException("--endpoint needs --model: the name of a model there."))
    .AsIChatClient();

static string? ReadQuestion(bool isTerminal) => isTerminal ? AnsiConsole.Prompt(new TextPrompt<string>("[blue]>[/]").AllowEmpty()) : Console.In.ReadLine();

static async Task<RefinementResult> AnswerAsync(SelfRefiner refiner, Prompt prompt, bool isTerminal, CancellationToken cancellationToken)
{
    DraftTable drafts = new();
    if (isTerminal)
    {
        await AnsiConsole.Live(drafts.Table).StartAsync(live => FollowAsync(live.Refresh));
    }
    else
    {
        await FollowAsync(static () => { });
        drafts.Lines.ForEach(Console.WriteLine);
        Console.WriteLine($"answer ({drafts.Result!.Usage.TotalTokens} tokens, {drafts.Result.StopReason}): {drafts.Result.Answer}");
    }

    return drafts.Result!;

    async Task FollowAsync(Action refresh)
    {
        await foreach (RefinementUpdate update in refiner.RefineStreamingAsync(prompt, cancellationToken))
        {
            drafts.Apply(update);
            refresh();
        }
    }
}
