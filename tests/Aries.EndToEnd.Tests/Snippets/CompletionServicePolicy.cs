using System.Runtime.CompilerServices;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>A service of one's own that completes texts.</summary>
public interface ICompletionService
{
    Task<string> CompleteAsync(string text, float temperature, int maxTokens, CancellationToken cancellationToken);
}

#region own-backend
/// <summary>A completion service as a policy model.</summary>
public sealed class CompletionServicePolicy(ICompletionService service) : IPolicyModel
{
    public async Task<IReadOnlyList<Response>> GenerateAsync(
        IReadOnlyList<GenerationRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        return await Task.WhenAll(requests.Select(request => AnswerAsync(request, cancellationToken)));
    }

    // A service without streaming gives the whole answer in one update.
    public async IAsyncEnumerable<ResponseUpdate> GenerateStreamingAsync(
        GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Response response = await AnswerAsync(request, cancellationToken);
        yield return new ResponseUpdate { Text = response.Text, Response = response };
    }

    public void Dispose()
    {
        // The service belongs to the caller.
    }

    private async Task<Response> AnswerAsync(GenerationRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        SamplingOptions supported = new() { Temperature = request.Options.Temperature, MaxTokens = request.Options.MaxTokens };
        if (request.Options with { StopSequences = supported.StopSequences } != supported || request.Options.StopSequences.Count > 0)
        {
            throw new NotSupportedException("This service honours Temperature and MaxTokens only; reset the other sampling options.");
        }

        try
        {
            string text = await service.CompleteAsync(request.Prompt.ToString(), supported.Temperature, supported.MaxTokens, cancellationToken);
            return new Response { Text = text, FinishReason = FinishReason.Stop };
        }
        catch (HttpRequestException exception)
        {
            return Response.Failed(exception); // this request failed; the others of the batch go on
        }
    }
}
#endregion
