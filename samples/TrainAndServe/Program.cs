// Ships what was trained: a round of ARIES in managed code, a model folder for ONNX Runtime, and an app that answers from it as the trained model did.
//   dotnet run -c Release --project samples/TrainAndServe [-- output folder]
using System.Diagnostics;
using Aries;
using Aries.Managed;
using Aries.OnnxRuntime;
using Microsoft.Extensions.DependencyInjection;
using QuickStart;

string output = args.Length > 0 ? args[0] : "runs/train-and-serve";
try
{
    // All weights in one folder; then the base model with an adapter beside it, which the next round's adapter can replace.
    bool same = await ShipAsync("all weights", new Settings { OutputPath = Path.Combine(output, "full") });
    same &= await ShipAsync("an adapter", new Settings { OutputPath = Path.Combine(output, "adapter"), LoraRank = 8, LearningRate = 1e-3f });
    return same ? 0 : 1;
}
catch (Exception exception) when (exception is AriesException or ArgumentException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(exception.Message);
    return 2;
}

// Trains, writes, serves; returns whether both engines answer alike.
static async Task<bool> ShipAsync(string name, Settings settings)
{
    settings = settings with { Rounds = 1, PromptsPerRound = 500, EvaluationPrompts = 100 };
    QuickStartTask task = await QuickStartTask.CreateAsync(settings, CancellationToken.None);

    Stopwatch watch = Stopwatch.StartNew();
    AriesRunResult run = await Experiment.RunAsync(task, settings, Method.Aries, Path.Combine(settings.OutputPath, "run"), [], CancellationToken.None);
    PolicyCheckpoint trained = run.LastCheckpoint;
    Console.WriteLine($"Trained {name}: {run.Rounds[^1].Pairs?.KeptCount} pairs, {watch.Elapsed.TotalSeconds:F0} s.");

    string folder = Path.Combine(settings.OutputPath, "onnx");
    #region write
    GenAIModelWriter.Write(trained.ModelPath, folder, new GenAIModelOptions
    {
        AdapterTargets = trained.AdapterPath is null ? LoraProjections.None : LoraProjections.All,
    });
    #endregion
    Console.WriteLine($"Wrote {folder}: {string.Join(", ", Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal))}.");

    #region serve
    ServiceCollection services = new();
    services.AddAries(options => options.Sampling = new SamplingOptions { Temperature = 0, MaxTokens = 32 })
        .AddOnnxRuntime(folder, options => options.AdapterPath = trained.AdapterPath)
        .UseStrategy(new AriesRefinement(turnCount: 3, task.Template));
    await using ServiceProvider app = services.BuildServiceProvider();
    RefinementResult result = await app.GetRequiredService<SelfRefiner>().RefineAsync(task.Data.EvaluationPrompts[0]);
    #endregion
    Console.WriteLine($"{result.Trace.Prompt.Question} {string.Join(" →", result.Trace.Drafts.Select(draft => draft.Text))}");

    return await CompareAsync(task, trained, app.GetRequiredService<IPolicyModel>());
}

// The same greedy answers as from the engine that trained; and not the base model's, or nothing of the training was shipped.
static async Task<bool> CompareAsync(QuickStartTask task, PolicyCheckpoint trained, IPolicyModel served)
{
    GenerationRequest[] requests = [.. task.Data.EvaluationPrompts.Select(prompt => new GenerationRequest(prompt, new SamplingOptions { Temperature = 0, MaxTokens = 32 }))];
    using ManagedPolicyModel policy = ManagedPolicyModel.Load(trained.ModelPath, new ManagedPolicyOptions { AdapterPath = trained.AdapterPath });
    using ManagedPolicyModel untrained = ManagedPolicyModel.Load(task.Base.ModelPath);
    string[] expected = [.. (await policy.GenerateAsync(requests)).Select(response => response.Text)];
    string[] actual = [.. (await served.GenerateAsync(requests)).Select(response => response.Text)];
    string[] before = [.. (await untrained.GenerateAsync(requests)).Select(response => response.Text)];
    int equal = expected.Zip(actual).Count(pair => pair.First == pair.Second);
    int learnt = expected.Zip(before).Count(pair => pair.First != pair.Second);
    Console.WriteLine($"{equal} of {requests.Length} greedy answers are the trained model's; {learnt} were others before the training.");
    return equal == requests.Length && learnt > 0;
}
