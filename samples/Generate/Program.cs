// Text from any Llama-family folder or llama2.c file, streamed: the shortest use of the managed engine.
// dotnet run -c Release --project samples/Generate -- --model tests/golden/stories260K-hf --prompt "Once upon a time" --greedy
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Aries;
using Aries.Managed;

Option<string> model = new("--model") { Description = "A Hugging Face model folder, or a llama2.c .bin file.", Required = true };
Option<string?> tokenizer = new("--tokenizer") { Description = "The tokenizer's file, where it does not lie with the model." };
Option<string?> adapter = new("--adapter") { Description = "A LoRA adapter's folder, in PEFT layout." };
Option<string?> prompt = new("--prompt") { Description = "What is asked; without it, standard input is read to its end." };
Option<bool> greedy = new("--greedy") { Description = "Always take the most probable token." };
Option<float?> temperature = new("--temperature") { Description = "Divides the logits; 0 is greedy. The default is 1." };
Option<float?> topP = new("--top-p") { Description = "The probability mass that is drawn from. The default is 1: all." };
Option<int?> topK = new("--top-k") { Description = "How many of the most probable tokens are drawn from. The default is 0: all." };
Option<float?> minP = new("--min-p") { Description = "The least probability, as a share of the largest. The default is 0: any." };
Option<float> repetitionPenalty = new("--repetition-penalty") { Description = "Makes tokens that came up already less probable; 1 is off.", DefaultValueFactory = _ => 1 };
Option<long?> seed = new("--seed") { Description = "The seed of the draws: equal seeds give equal texts. The default is a new one each time." };
Option<int> maxTokens = new("--max-tokens") { Description = "The longest response, in tokens.", DefaultValueFactory = _ => 256 };
Option<string[]> stop = new("--stop") { Description = "A text that ends the response; may be given more than once." };
Option<int?> threads = new("--threads") { Description = "The number of threads. The default is one a processor." };
Option<bool> logProbabilities = new("--logprobs") { Description = "Write each token's id and log-probability, in nats, to standard error at the end." };

RootCommand command = new("Writes text with a Llama-family model, on the processor.")
{
    model, tokenizer, adapter, prompt, greedy, temperature, topP, topK, minP, repetitionPenalty, seed, maxTokens, stop, threads, logProbabilities,
};
command.SetAction(RunAsync);
ParseResult parsed = command.Parse(args);
if (parsed.Errors.Count > 0)
{
    return Fail(parsed.Errors[0].Message);
}

return await parsed.InvokeAsync();

async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
{
    if (options.GetValue(greedy) && (options.GetValue(temperature) ?? options.GetValue(topP) ?? options.GetValue(minP) ?? options.GetValue(topK) ?? options.GetValue(seed)) is not null)
    {
        return Fail("--greedy draws nothing: leave out --temperature, --top-p, --top-k, --min-p and --seed, or leave out --greedy.");
    }

    try
    {
        Console.OutputEncoding = Encoding.UTF8;
        GenerationRequest request = new(options.GetValue(prompt) ?? await Console.In.ReadToEndAsync(cancellationToken), new SamplingOptions
        {
            Temperature = options.GetValue(greedy) ? 0 : options.GetValue(temperature) ?? 1,
            TopP = options.GetValue(topP) ?? 1,
            TopK = options.GetValue(topK) ?? 0,
            MinP = options.GetValue(minP) ?? 0,
            RepetitionPenalty = options.GetValue(repetitionPenalty),
            Seed = options.GetValue(seed),
            MaxTokens = options.GetValue(maxTokens),
            StopSequences = options.GetValue(stop) ?? [],
        })
        { IncludeLogProbabilities = options.GetValue(logProbabilities) };

        using ManagedPolicyModel policy = await ManagedPolicyModel.LoadAsync(
            options.GetValue(model)!,
            new ManagedPolicyOptions { TokenizerPath = options.GetValue(tokenizer), AdapterPath = options.GetValue(adapter), ThreadCount = options.GetValue(threads) },
            cancellationToken);
        Stopwatch watch = Stopwatch.StartNew();
        Response? response = null;
        await foreach (ResponseUpdate update in policy.GenerateStreamingAsync(request, cancellationToken))
        {
            Console.Out.Write(update.Text);
            Console.Out.Flush();
            response = update.Response;
        }

        Console.Out.WriteLine();
        Report(response!, watch.Elapsed);
        return 0;
    }
    catch (Exception exception) when (exception is AriesException or ArgumentException or IOException or UnauthorizedAccessException)
    {
        return Fail(exception.Message);
    }
    catch (OperationCanceledException)
    {
        return Fail("Cancelled.");
    }
}

static void Report(Response response, TimeSpan elapsed)
{
    for (int i = 0; i < (response.TokenLogProbabilities?.Count ?? 0); i++)
    {
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"token {response.TokenIds![i]}: {response.TokenLogProbabilities![i]:F4}"));
    }

    string sum = response.LogProbability is { } total ? string.Create(CultureInfo.InvariantCulture, $", log-probability {total:F4}") : "";
    Console.Error.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{response.Usage.PromptTokens} + {response.Usage.ResponseTokens} tokens in {elapsed.TotalSeconds:F2} s ({response.Usage.ResponseTokens / elapsed.TotalSeconds:F0} tokens/s), ended by {response.FinishReason}{sum}"));
}

static int Fail(string message)
{
    Console.Error.WriteLine(message.ReplaceLineEndings(" "));
    return 1;
}
