using System.Runtime.CompilerServices;

namespace Aries.TestKit;

/// <summary>A policy whose answers depend on nothing but the prompt, the seed and a name: words drawn by a hash.</summary>
/// <remarks>Without a seed it answers as with the seed 0. It counts a token a word.</remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class ToyPolicyModel(string name = "toy") : IPolicyModel
{
    private static readonly string[] Words = ["a", "the", "cat", "dog", "ran", "sat", "7", "12", "blue", "and", "so", "é", "😀", "\n"];

    /// <inheritdoc />
    public Task<IReadOnlyList<Response>> GenerateAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult<IReadOnlyList<Response>>([.. requests.Select(Answer)]);
    }

    /// <inheritdoc />
    public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Response response = Answer(request);
        string[] words = response.Text.Split(' ');
        for (int index = 0; index < words.Length; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
            yield return new ResponseUpdate
            {
                Text = index == 0 ? words[index] : " " + words[index],
                Response = index == words.Length - 1 ? response : null,
            };
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
    }

    private Response Answer(GenerationRequest request)
    {
        ulong state = 1469598103934665603;
        foreach (char unit in $"{name}|{request.Prompt}|{request.Options.Seed ?? 0}|{request.Options.Temperature}")
        {
            state = (state ^ unit) * 1099511628211;
        }

        int wanted = 1 + (int)(Next(ref state) % 9);
        int count = Math.Min(wanted, request.Options.MaxTokens);
        string[] words = new string[count];
        for (int index = 0; index < count; index++)
        {
            words[index] = Words[Next(ref state) % (ulong)Words.Length];
        }

        int promptTokens = request.Prompt.Sum(turn => 1 + turn.Text.Count(char.IsWhiteSpace));
        return new Response
        {
            Text = string.Join(' ', words),
            FinishReason = count < wanted ? FinishReason.Length : FinishReason.Stop,
            Usage = new TokenUsage(promptTokens, count),
        };
    }

    private static ulong Next(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state >> 11;
    }
}
